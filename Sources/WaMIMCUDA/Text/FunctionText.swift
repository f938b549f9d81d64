import WaMIMGraph

extension UnaryFunction {
  /// The function of `x` in CUDA C++, by the prelude's names.
  func cuda(_ x: String) -> String {
    switch self {
    case .negate: "-\(x)"
    case .exponential: "exponential(\(x))"
    case .logarithm: "logarithm(\(x))"
    case .squareRoot: "square_root(\(x))"
    case .reciprocalSquareRoot: "1.0f / square_root(\(x))"
    case .errorFunction: "error_function(\(x))"
    case .hyperbolicTangent: "hyperbolic_tangent(\(x))"
    case .cosinePi: "cosine_pi(\(x))"
    case .sinePi: "sine_pi(\(x))"
    }
  }
}

extension BinaryFunction {
  /// The function of `x` and `y` in CUDA C++.
  func cuda(_ x: String, _ y: String) -> String {
    switch self {
    case .add: "\(x) + \(y)"
    case .subtract: "\(x) - \(y)"
    case .multiply: "\(x) * \(y)"
    case .divide: "\(x) / \(y)"
    case .maximum: "larger(\(x), \(y))"
    case .minimum: "smaller(\(x), \(y))"
    case .atLeast: "\(x) >= \(y) ? 1.0f : 0.0f"
    }
  }
}

extension ReductionFunction {
  /// What nothing combines to.
  var start: String {
    switch self {
    case .sum: "0.0f"
    case .maximum: "-infinity()"
    }
  }

  /// `total` combined with `x`.
  func cuda(_ total: String, _ x: String) -> String {
    switch self {
    case .sum: "\(total) + \(x)"
    case .maximum: "larger(\(total), \(x))"
    }
  }

  /// The prelude's name for the reduction over a team.
  var name: String {
    switch self {
    case .sum: "sum"
    case .maximum: "max"
    }
  }
}
