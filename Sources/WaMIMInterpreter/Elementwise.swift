import Foundation
import WaMIMGraph

extension UnaryFunction {
  /// The function of `x`.
  func callAsFunction(_ x: Double) -> Double {
    switch self {
    case .negate: -x
    case .exponential: exp(x)
    case .logarithm: log(x)
    case .squareRoot: x.squareRoot()
    case .reciprocalSquareRoot: 1 / x.squareRoot()
    case .errorFunction: erf(x)
    case .hyperbolicTangent: tanh(x)
    case .cosinePi: x.cospi
    case .sinePi: x.sinpi
    }
  }
}

extension BinaryFunction {
  /// The function of `x` and `y`.
  func callAsFunction(_ x: Double, _ y: Double) -> Double {
    switch self {
    case .add: x + y
    case .subtract: x - y
    case .multiply: x * y
    case .divide: x / y
    case .maximum: x >= y ? x : y
    case .minimum: x <= y ? x : y
    case .atLeast: x >= y ? 1 : 0
    }
  }
}
