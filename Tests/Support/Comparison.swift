import WaMIMGraph
import WaMIMInterpreter

extension Evaluation {
  /// The named outputs, and what parameters, states and accumulators hold after the step, by name.
  public var results: [String: DenseTensor] { outputs.merging(updates) { output, _ in output } }
}

/// The largest difference between two lists of numbers, over the largest magnitude in `expected`; infinite where they do not match.
public func relativeError(_ actual: [Double], _ expected: [Double]) -> Double {
  guard actual.count == expected.count else { return .infinity }
  let scale = expected.reduce(0) { max($0, abs($1)) }
  let difference = zip(actual, expected).reduce(0) { $1.0 == $1.1 ? $0 : max($0, (abs($1.0 - $1.1)).nanAsInfinity) }
  return difference == 0 ? 0 : difference / max(scale, 1e-30)
}

extension Double {
  fileprivate var nanAsInfinity: Double { isNaN ? .infinity : self }
}

extension Graph {
  /// Random values for everything that the graph takes from outside, each input drawn for its role.
  public func randomSources(using generator: inout SeededGenerator) -> [String: [Double]] {
    var sources: [String: [Double]] = [:]
    for node in nodes {
      let count = node.type.shape.count
      switch node.operation {
      case .input(let name, let type, let binding):
        if type.element == .int32 {
          sources[name] = [Double](repeating: 0, count: count)
        } else {
          sources[name] = generator.numbers(count, in: binding == .images ? -2...2 : 0...1)
        }
      case .parameter(let name, _, let initial, _):
        let centre: Double = if case .constant(let value) = initial { Double(value) } else { 0 }
        sources[name] = generator.numbers(count).map { centre + 0.4 * $0 }
      case .state(let name, _, _, _), .accumulator(let name, _): sources[name] = generator.numbers(count, in: 0...1)
      default: break
      }
    }
    return sources
  }
}
