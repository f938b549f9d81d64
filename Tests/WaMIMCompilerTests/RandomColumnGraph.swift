import TestSupport
import WaMIMGraph

/// Draws graphs that move and compute rows of eight columns, of which mostly some columns are needed.
struct RandomColumnGraph {
  private var generator: SeededGenerator
  private let builder: GraphBuilder
  private let indices: Tensor
  /// The values so far, [2, rows, 8].
  private var values: [Tensor] = []

  /// A graph of about `count` operations, the same for the same `seed`.
  static func draw(seed: UInt64, count: Int = 10) throws -> Graph {
    let builder = GraphBuilder(name: "columns")
    var graph = RandomColumnGraph(generator: SeededGenerator(seed: seed), builder: builder)
    graph.build(count)
    return try builder.finish()
  }

  private init(generator: SeededGenerator, builder: GraphBuilder) {
    (self.generator, self.builder) = (generator, builder)
    indices = builder.add(.rank, [builder.input("noise", [2, 4], from: .random)])
    values = [builder.parameter("x", [2, 4, 8], .normal(standardDeviation: 1)), builder.input("y", [2, 4, 8])]
  }

  private mutating func build(_ count: Int) {
    for index in 0..<count {
      let next = operation(on: pick(), index)
      values.append(next.shape[1] > 12 ? next.sliced(1, 0..<4) : next)
    }
    for index in 0..<3 {
      let start = Int.random(in: 0..<8, using: &generator)
      builder.output("y\(index)", pick().sliced(2, start..<Int.random(in: start + 1...8, using: &generator)))
    }
    if Int.random(in: 0..<4, using: &generator) == 0 { builder.output("whole", pick()) }
  }

  /// One of the latest values, so that few of them are needed by many.
  private mutating func pick() -> Tensor { values[Int.random(in: max(0, values.count - 3)..<values.count, using: &generator)] }

  private mutating func operation(on x: Tensor, _ index: Int) -> Tensor {
    let rows = x.shape[1]
    switch Int.random(in: 0..<12, using: &generator) {
    case 0: return x.applying(.hyperbolicTangent)
    case 1: return x + (values.filter { $0.shape == x.shape }.randomElement(using: &generator) ?? x) * 0.5
    case 2: return x + builder.parameter("b\(index)", [8], .normal(standardDeviation: 1))
    case 3: return x.matmul(builder.parameter("w\(index)", [8, 8], .normal(standardDeviation: 0.3)))
    case 4: return x.matmul(builder.parameter("w\(index)", [8, 8], .normal(standardDeviation: 0.3)), transposeRight: true)
    case 5: return rows >= 4 ? x.gathered(indices.sliced(1, 0..<Int.random(in: 1...4, using: &generator))) : x
    case 6: return .concatenated([x, pick(), x * 2], axis: 1, in: builder)
    case 7: return x.reshaped([rows, 2, 8]).transposed([1, 0, 2])
    case 8: return x.transposed([1, 0, 2]).reshaped([2, rows, 8])
    case 9: return x.sum([1]).broadcast(to: x.shape).detached()
    case 10: return builder.add(.pad(axis: 1, start: 1, extent: rows + 2, step: 1), [x])
    default: return Bool.random(using: &generator) ? x.sliced(1, 0..<rows / 2 + 1) : x.sum([2]).broadcast(to: x.shape)
    }
  }
}
