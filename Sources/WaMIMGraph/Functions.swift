/// A function of one number, applied to each element.
public enum UnaryFunction: String, Hashable, Sendable, CaseIterable {
  case negate
  case exponential = "exp"
  case logarithm = "log"
  case squareRoot = "sqrt"
  /// 1 / sqrt(x).
  case reciprocalSquareRoot = "rsqrt"
  /// The error function, 2 / sqrt(pi) times the integral of exp(-t²) from 0 to x.
  case errorFunction = "erf"
  case hyperbolicTangent = "tanh"
  /// cos(πx), exact where it is -1, 0 or 1.
  case cosinePi = "cospi"
  /// sin(πx), exact where it is -1, 0 or 1.
  case sinePi = "sinpi"

  /// Whether a processor has no instruction for the function, so that it takes many others.
  package var isTranscendental: Bool {
    switch self {
    case .exponential, .logarithm, .errorFunction, .hyperbolicTangent, .cosinePi, .sinePi: true
    case .negate, .squareRoot, .reciprocalSquareRoot: false
    }
  }

  /// What the function computes, in one sentence.
  public var summary: String {
    switch self {
    case .negate: "Each element with the opposite sign."
    case .exponential: "e to the power of each element."
    case .logarithm: "The natural logarithm of each element."
    case .squareRoot: "The square root of each element."
    case .reciprocalSquareRoot: "1 over the square root of each element."
    case .errorFunction: "The error function of each element."
    case .hyperbolicTangent: "The hyperbolic tangent of each element."
    case .cosinePi: "The cosine of pi times each element."
    case .sinePi: "The sine of pi times each element."
    }
  }
}

/// A function of two numbers, applied to elements in pairs.
public enum BinaryFunction: String, Hashable, Sendable, CaseIterable {
  case add
  case subtract
  case multiply
  case divide
  case maximum
  case minimum
  /// 1 where the left number is at least the right one, 0 elsewhere; no gradient flows through it.
  case atLeast = "at_least"

  /// What the function computes, in one sentence.
  public var summary: String {
    switch self {
    case .add: "The sum of each pair of elements."
    case .subtract: "The difference of each pair of elements."
    case .multiply: "The product of each pair of elements."
    case .divide: "The quotient of each pair of elements."
    case .maximum: "The larger of each pair of elements."
    case .minimum: "The smaller of each pair of elements."
    case .atLeast: "1 where the left element is at least the right one, 0 elsewhere."
    }
  }
}

/// How a reduction combines the elements along its axes.
public enum ReductionFunction: String, Hashable, Sendable, CaseIterable {
  case sum
  case maximum = "max"

  /// What the reduction computes, in one sentence.
  public var summary: String {
    switch self {
    case .sum: "The sum of the elements along the axes, which stay with an extent of 1."
    case .maximum: "The largest of the elements along the axes, which stay with an extent of 1."
    }
  }
}
