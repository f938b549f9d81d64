import Foundation
import WaMIMGraph

extension Simplifier {
  /// Operations whose operands are all constants, or that only move equal numbers about.
  mutating func foldConstants(_ node: Node) throws -> ValueID? {
    guard !node.operands.isEmpty, let first = constant(node.operands[0]) else { return nil }
    let number: Float
    switch node.operation {
    case .unary(let function): number = function(first)
    case .binary(let function):
      guard let second = constant(node.operands[1]) else { return nil }
      number = function(first, second)
    case .broadcast, .reshape, .transpose, .slice, .gather, .reduce(.maximum, _): number = first
    case .concatenate:
      guard node.operands.allSatisfy({ constant($0) == first }) else { return nil }
      number = first
    case .pad:
      guard first == 0 else { return nil }
      number = 0
    case .reduce(.sum, _):
      number = first * Float(shape(node.operands[0]).count / node.type.shape.count)
    default: return nil
    }
    return try constant(number, node.type.shape, like: node)
  }
}

extension UnaryFunction {
  fileprivate func callAsFunction(_ number: Float) -> Float {
    let x = Double(number)
    return switch self {
    case .negate: -number
    case .exponential: Float(exp(x))
    case .logarithm: Float(log(x))
    case .squareRoot: number.squareRoot()
    case .reciprocalSquareRoot: Float(1 / x.squareRoot())
    case .errorFunction: Float(erf(x))
    case .hyperbolicTangent: Float(tanh(x))
    case .cosinePi: Float(x.cospi)
    case .sinePi: Float(x.sinpi)
    }
  }
}

extension BinaryFunction {
  fileprivate func callAsFunction(_ x: Float, _ y: Float) -> Float {
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
