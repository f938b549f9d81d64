import TestSupport
import WaMIMGraph
import WaMIMLayers

/// Draws graphs that take images apart by wavelets, in several levels of which some subbands are read, and work on rows, columns and
/// samples of those in ways that can follow sample by sample and in ways that cannot.
struct RandomSubbandGraph {
  private var generator: SeededGenerator
  private let builder: GraphBuilder
  private let batch: Int
  /// Values [batch, channels, height, width] that wavelets and other work can go on with.
  private var planes: [Tensor]
  /// All values.
  private var values: [Tensor]

  /// The same graph for the same `seed`.
  static func draw(seed: UInt64) throws -> Graph {
    let builder = GraphBuilder(name: "subbands")
    var graph = RandomSubbandGraph(generator: SeededGenerator(seed: seed), builder: builder)
    graph.build()
    return try builder.finish()
  }

  private init(generator: SeededGenerator, builder: GraphBuilder) {
    var generator = generator
    // Some batches are as many as an image has subbands, so that samples could be taken for them.
    batch = [1, 2, 3, 6].randomElement(using: &generator) ?? 1
    let channels = Int.random(in: 1...2, using: &generator)
    let sides = (0..<2).map { _ in [4, 8, 12, 16, 24].randomElement(using: &generator) ?? 8 }
    let images = builder.input("images", [batch, channels, sides[0], sides[1]])
    (self.generator, self.builder) = (generator, builder)
    planes = [images]
    values = [images]
  }

  private mutating func build() {
    for _ in 0..<Int.random(in: 1...4, using: &generator) { analyse() }
    for _ in 0..<Int.random(in: 2...9, using: &generator) {
      let result = operation(on: planes.randomElement(using: &generator) ?? values[0])
      values.append(result)
      if result.shape.rank == 4, result.shape[0] == batch { planes.append(result) }
    }
    let terms = values.suffix(4).map { value in
      let weight = builder.parameter("weight\(value.value.index)", [value.shape[-1]], .normal(standardDeviation: 1))
      return (value * weight).applying(.hyperbolicTangent).total()
    }
    builder.minimize(terms.dropFirst().reduce(terms[0], +))
    for index in 0..<2 { builder.output("y\(index)", values.randomElement(using: &generator) ?? values[0]) }
  }

  /// Adds some subbands of one more level, of images or of what another level has left.
  private mutating func analyse() {
    let candidates = planes.filter { $0.shape[2].isMultiple(of: 2) && $0.shape[3].isMultiple(of: 2) && $0.shape[1] <= 6 }
    guard let pictures = candidates.last(where: { _ in Bool.random(using: &generator) }) ?? candidates.first else { return }
    let bands = builder.add(.waveletAnalysis(Wavelet.allCases.randomElement(using: &generator) ?? .haar), [pictures])
    var ranges = [1..<4, 0..<1, 0..<4, 2..<3, 1..<3, 0..<2].shuffled(using: &generator).prefix(2)
    if Bool.random(using: &generator) { ranges = [1..<4, 0..<1] }
    for range in ranges {
      let slice = range.count == 4 ? bands : bands.sliced(2, range)
      planes.append(slice.reshaped([batch, slice.shape[1] * range.count, slice.shape[3], slice.shape[4]]))
      values.append(planes[planes.count - 1])
    }
  }

  private mutating func operation(on x: Tensor) -> Tensor {
    let (channels, rows, columns) = (x.shape[1], x.shape[2], x.shape[3])
    let flat = x.reshaped([batch, channels, rows * columns])
    switch Int.random(in: 0..<13, using: &generator) {
    case 0, 1, 2: return flat.standardized([2], epsilon: 0.01).reshaped(x.shape)
    case 3: return flat.standardized([1], epsilon: 0.01).reshaped(x.shape)
    case 4: return flat.transposed([0, 2, 1]).reshaped([batch, rows, columns * channels])
    case 5 where rows.isMultiple(of: 2):
      return x.reshaped([batch, channels, rows / 2, 2, columns]).transposed([0, 2, 4, 3, 1])
        .reshaped([batch, rows / 2, 2 * columns * channels])
    case 6: return x.mean([0]).broadcast(to: x.shape) - x
    case 7: return x.transposed([1, 0, 2, 3])
    case 8: return .concatenated([x, x.applying(.hyperbolicTangent)], axis: Int.random(in: 0...1, using: &generator), in: builder)
    case 9: return x.sliced(0, 0..<1) * 0.5
    case 10: return x.reshaped([batch * channels, rows * columns]).standardized([1], epsilon: 0.01)
    case 11:
      let scale = builder.parameter("scale\(x.value.index)_\(values.count)", [channels, 1, 1], .normal(standardDeviation: 1))
      return x * scale
    default:
      let others = planes.filter { $0.shape == x.shape }
      return x + (others.randomElement(using: &generator) ?? x)
    }
  }
}
