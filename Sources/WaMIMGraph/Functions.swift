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
}

/// How a reduction combines the elements along its axes.
public enum ReductionFunction: String, Hashable, Sendable, CaseIterable {
  case sum
  case maximum = "max"
}

/// An orthonormal or biorthogonal wavelet basis.
public enum Wavelet: String, Hashable, Sendable, CaseIterable {
  case haar

  /// The low-pass analysis filter; the high-pass one is its quadrature mirror.
  public var lowPass: [Double] {
    switch self {
    case .haar: [Double(0.5).squareRoot(), Double(0.5).squareRoot()]
    }
  }
}
