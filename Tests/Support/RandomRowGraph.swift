import WaMIMGraph
import WaMIMLayers

/// Draws graphs of what layers do to rows, in ways in which layers don't: products, activations, normalizations, maxima, and sums over
/// elements, rows and samples, all used again by others.
public struct RandomRowGraph {
  private var generator: SeededGenerator
  private let builder: GraphBuilder
  /// Values [batch, rows, width].
  private var values: [Tensor]

  /// The same graph for the same `seed`.
  public static func draw(seed: UInt64) throws -> Graph {
    let builder = GraphBuilder(name: "rows")
    var graph = RandomRowGraph(seed: seed, builder: builder)
    graph.build()
    return try builder.finish()
  }

  private init(seed: UInt64, builder: GraphBuilder) {
    var generator = SeededGenerator(seed: seed)
    let (batch, patch) = (Int.random(in: 1...4, using: &generator), [2, 4, 8].randomElement(using: &generator) ?? 4)
    let images = builder.input("images", [batch, Int.random(in: 1...2, using: &generator), 8, 8])
    (self.generator, self.builder) = (generator, builder)
    values = [images.patches(patch)]
  }

  private mutating func build() {
    for _ in 0..<Int.random(in: 4...14, using: &generator) {
      // Rather what came last, so that graphs are deep.
      let x = values.suffix(4).randomElement(using: &generator) ?? values[0]
      values.append(bounded(operation(on: x)))
    }
    var terms: [Tensor] = []
    for value in values.suffix(3) { terms.append((value * parameter([value.shape[2]])).applying(.hyperbolicTangent).total()) }
    builder.minimize(terms.dropFirst().reduce(terms[0], +))
    builder.output("y", values[values.count - 1])
  }

  private mutating func parameter(_ shape: Shape) -> Tensor {
    builder.parameter("p\(builder.graph.nodes.count)", shape, .normal(standardDeviation: 1))
  }

  /// A value near 1, so that rounding stays what it is.
  private mutating func bounded(_ x: Tensor) -> Tensor {
    switch Int.random(in: 0..<3, using: &generator) {
    case 0: x * 0.5
    case 1: x.applying(.hyperbolicTangent)
    default: x.standardized([2], epsilon: 0.1)
    }
  }

  private mutating func operation(on x: Tensor) -> Tensor {
    let (rows, width) = (x.shape[1], x.shape[2])
    switch Int.random(in: 0..<14, using: &generator) {
    case 0, 1, 2:
      let weight = parameter([[1, 3, 8, 17, 40].randomElement(using: &generator) ?? 8, width])
      return x.matmul(weight * 0.3, transposeRight: true) + parameter([weight.shape[0]])
    case 3: return x.gelu()
    case 4: return x.softmax()
    case 5: return (x * 0.3).applying(.exponential)
    case 6: return x - x.max([2])
    case 7: return x.gelu().max([2]) * x
    case 8: return x.sum([1]) * 0.2 + x
    case 9: return (x.applying(.errorFunction).sum([1]) * 0.1).broadcast(to: x.shape) * x
    case 10: return x.mean([0, 1]) - x
    case 11: return x * parameter([rows, width])
    case 12: return (x.mean([2]) * x).applying(.hyperbolicTangent)
    default:
      let others = values.filter { $0.shape == x.shape }
      return x * (others.randomElement(using: &generator) ?? x)
    }
  }
}
