import TestSupport
import WaMIMGraph

/// Draws graphs on batches of images, of which some treat samples one by one and some mix them in ways that cannot be undone.
struct RandomBatchGraph {
  private var generator: SeededGenerator
  private let builder: GraphBuilder
  private var values: [Tensor] = []
  private let images: Tensor

  /// A graph of about `count` operations on a batch of `batch` samples, the same for the same `seed`.
  static func draw(seed: UInt64, batch: Int, count: Int = 14) throws -> Graph {
    let builder = GraphBuilder(name: "random")
    var graph = RandomBatchGraph(generator: SeededGenerator(seed: seed), builder: builder, batch: batch)
    graph.build(count)
    return try builder.finish()
  }

  private init(generator: SeededGenerator, builder: GraphBuilder, batch: Int) {
    (self.generator, self.builder) = (generator, builder)
    images = builder.input("images", [batch, 2, 4, 4])
    values = [images, builder.input("noise", [batch, 5], from: .random)]
    values.append(builder.parameter("table", [5, 4], .normal(standardDeviation: 1)))
    values.append(builder.parameter("bias", [4], .normal(standardDeviation: 1)))
    values.append(builder.parameter("scale", [], .normal(standardDeviation: 1)))
  }

  private mutating func build(_ count: Int) {
    for index in 0..<count {
      let next = operation(on: pick())
      values.append(index % 3 == 0 && next.shape.rank > 0 ? next.applying(.hyperbolicTangent) : next)
    }
    let terms = values.suffix(4).map { ($0 * 0.1).total() }
    builder.minimize(terms.dropFirst().reduce(terms[0], +))
    builder.output("y", pick())
  }

  private mutating func pick() -> Tensor {
    // Recent values make for longer chains.
    let start = Bool.random(using: &generator) ? 0 : values.count * 2 / 3
    return values[Int.random(in: start..<values.count, using: &generator)]
  }

  private mutating func axis(of x: Tensor) -> Int { Int.random(in: 0..<max(x.shape.rank, 1), using: &generator) }

  private mutating func operation(on x: Tensor) -> Tensor {
    guard x.shape.rank > 0 else { return Bool.random(using: &generator) ? x * 0.5 : x + pick() * 0.1 }
    switch Int.random(in: 0..<14, using: &generator) {
    case 0: return -x
    case 1, 2: return binary(x)
    case 3: return x.reshaped([x.shape.count / x.shape[-1], x.shape[-1]])
    case 4: return x.reshaped(Shape([x.shape[0]] + (x.shape.rank > 1 ? [x.shape.count / x.shape[0]] : [1])))
    case 5: return x.transposed(Array(0..<x.shape.rank).shuffled(using: &generator))
    case 6: return x.sum([x.shape.rank - 1])
    case 7: return x.sum([axis(of: x)])
    case 8: return x.max([axis(of: x)])
    case 9: return slice(x)
    case 10:
      return .concatenated(
        [x, builder.constant(0.5, x.shape), slice(x)].filter { $0.shape == x.shape }, axis: axis(of: x), in: builder)
    case 11: return x.mean([axis(of: x)]).broadcast(to: x.shape)
    case 12: return matmul(x)
    default: return builder.constant(0.5, x.shape) * x + 1
    }
  }

  private mutating func binary(_ x: Tensor) -> Tensor {
    let candidates = values.filter { $0.shape.broadcast(with: x.shape).map { $0.count <= 800 } ?? false }
    guard let y = candidates.randomElement(using: &generator) else { return x }
    return switch Int.random(in: 0..<5, using: &generator) {
    case 0, 1: x + y
    case 2: x - y
    case 3: x * y
    default: x / (y * y + 1)
    }
  }

  private mutating func slice(_ x: Tensor) -> Tensor {
    let axis = axis(of: x)
    let start = Int.random(in: 0..<x.shape[axis], using: &generator)
    return x.sliced(axis, start..<Int.random(in: start + 1...x.shape[axis], using: &generator))
  }

  private mutating func matmul(_ x: Tensor) -> Tensor {
    guard x.shape.rank >= 2, x.shape.count <= 400 else { return x }
    switch Int.random(in: 0..<4, using: &generator) {
    case 0: return x.matmul(x, transposeLeft: true) * 0.1
    case 1: return x.matmul(x, transposeRight: true) * 0.1
    default:
      let weight = builder.parameter("w\(values.count)", [x.shape[-1], 3], .normal(standardDeviation: 1))
      return x.matmul(weight)
    }
  }
}
