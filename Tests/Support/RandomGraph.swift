import WaMIMGraph

/// Draws graphs that use every operation, with parameters, a loss and outputs.
public struct RandomGraph {
  private var generator: SeededGenerator
  private let builder: GraphBuilder
  /// The values so far that are numbers.
  private var values: [Tensor] = []

  /// A graph of about `count` operations, the same for the same `seed`.
  public static func draw(seed: UInt64, count: Int = 40) throws -> Graph {
    let builder = GraphBuilder(name: "random")
    var graph = RandomGraph(generator: SeededGenerator(seed: seed), builder: builder)
    graph.build(count)
    return try builder.finish()
  }

  private init(generator: SeededGenerator, builder: GraphBuilder) {
    (self.generator, self.builder) = (generator, builder)
  }

  private mutating func build(_ count: Int) {
    for index in 0..<3 {
      values.append(builder.parameter("p\(index)", shape(), .normal(standardDeviation: 1)))
      values.append(builder.input("x\(index)", shape(), from: .random))
    }
    values.append(builder.parameter("tokens", [2, 5, 4], .normal(standardDeviation: 1)))
    values.append(builder.parameter("images", [2, 1, 4, 4], .normal(standardDeviation: 1)))
    let noise = builder.input("noise", [2, 5], from: .random)
    let rank = builder.add(.rank, [noise])
    let indices = [rank, builder.add(.invertPermutation, [rank])]
    for index in 0..<count {
      let next = builder.scoped("layer.\(index / 10)") { operation(on: pick(), indices: indices) }
      // Squashing keeps long chains of products within range.
      values.append(index % 3 == 0 ? next.applying(.hyperbolicTangent) : next)
    }
    let terms = values.suffix(8).map { ($0 * builder.constant(0.1)).total() }
    builder.minimize(terms.dropFirst().reduce(terms[0], +))
    for index in 0..<3 { builder.output("y\(index)", pick()) }
  }

  private mutating func pick() -> Tensor { values[Int.random(in: 0..<values.count, using: &generator)] }

  private mutating func shape() -> Shape {
    Shape((0..<Int.random(in: 1...3, using: &generator)).map { _ in Int.random(in: 1...4, using: &generator) })
  }

  private mutating func axis(of x: Tensor) -> Int { Int.random(in: 0..<max(x.shape.rank, 1), using: &generator) }

  private mutating func operation(on x: Tensor, indices: [Tensor]) -> Tensor {
    guard x.shape.rank > 0 else { return x.broadcast(to: shape()) }
    switch Int.random(in: 0..<18, using: &generator) {
    case 0: return unary(x)
    case 1, 2, 3: return binary(x)
    case 4: return constants(x)
    case 5: return x.broadcast(to: Shape([2] + x.shape.dimensions.map { $0 == 1 ? 3 : $0 })).sum([0]).reshaped(grown(x.shape))
    case 6: return x.reshaped([x.shape.count]).reshaped(Shape(x.shape.dimensions.reversed()))
    case 7: return x.transposed(Array(0..<x.shape.rank).shuffled(using: &generator))
    case 8: return slice(x)
    case 9:
      let axis = axis(of: x)
      return builder.add(
        .pad(axis: axis, start: 1, extent: 2 * x.shape[axis] + 1, step: Bool.random(using: &generator) ? 1 : 2), [x])
    case 10:
      let (axis, whole) = (axis(of: x), x)
      return .concatenated([slice(x, axis), whole, builder.constant(0, x.shape)], axis: axis, in: builder)
    case 11: return x.sum([axis(of: x)])
    case 12: return x.max([axis(of: x)])
    case 13: return x.mean([axis(of: x)]).broadcast(to: x.shape)
    case 14: return matmul(x)
    case 15: return attention(x)
    case 16: return rows(x, indices)
    default: return wavelet(x)
    }
  }

  private func grown(_ shape: Shape) -> Shape { Shape(shape.dimensions.map { $0 == 1 ? 3 : $0 }) }

  private mutating func unary(_ x: Tensor) -> Tensor {
    switch UnaryFunction.allCases.randomElement(using: &generator) {
    case .exponential: x.applying(.hyperbolicTangent).applying(.exponential)
    case .logarithm: (x * x + 0.5).applying(.logarithm)
    case .squareRoot: (x * x + 0.5).applying(.squareRoot)
    case .reciprocalSquareRoot: (x * x + 0.5).applying(.reciprocalSquareRoot)
    case let function?: x.applying(function)
    case nil: x
    }
  }

  private mutating func binary(_ x: Tensor) -> Tensor {
    let candidates = values.filter { $0.shape.broadcast(with: x.shape).map { $0.count <= 400 } ?? false }
    guard let y = candidates.randomElement(using: &generator) else { return x }
    return switch Int.random(in: 0..<7, using: &generator) {
    case 0, 1: x + y
    case 2: x - y
    case 3: x * y
    case 4: x / (y * y + 1)
    case 5: x.maximum(y)
    default: x.minimum(y)
    }
  }

  /// Arithmetic with numbers that algebra knows something about.
  private mutating func constants(_ x: Tensor) -> Tensor {
    let number = builder.constant([0, 1, -1, 2, 0.5, 3].randomElement(using: &generator) ?? 1)
    return switch Int.random(in: 0..<7, using: &generator) {
    case 0: x + number
    case 1: number + x
    case 2: number - x
    case 3: x * number * 0.5
    case 4: number * x * number
    case 5: x / 2
    default: -(x - number)
    }
  }

  private mutating func slice(_ x: Tensor, _ along: Int? = nil) -> Tensor {
    let axis = along ?? axis(of: x)
    let start = Int.random(in: 0..<x.shape[axis], using: &generator)
    let end = Int.random(in: start + 1...x.shape[axis], using: &generator)
    let step = min(Bool.random(using: &generator) ? 1 : 2, x.shape[axis])
    return x.sliced(axis, start..<end, step: step)
  }

  private mutating func matmul(_ x: Tensor) -> Tensor {
    guard x.shape.rank >= 2 else { return x }
    if Bool.random(using: &generator) { return x.matmul(x, transposeRight: true) * 0.1 }
    if Bool.random(using: &generator) { return x.matmul(x, transposeLeft: true) * 0.1 }
    let weight = builder.parameter("w\(values.count)", [x.shape[-1], 3], .normal(standardDeviation: 1))
    return Bool.random(using: &generator)
      ? x.matmul(weight) : x.matmul(weight.transposed([1, 0]), transposeRight: true).reshaped([x.shape.count / x.shape[-1] * 3])
  }

  private mutating func attention(_ x: Tensor) -> Tensor {
    guard x.shape.rank == 3 else { return x }
    let heads = x.shape[2] % 2 == 0 ? 2 : 1
    if Bool.random(using: &generator) { return groupAttention(x, heads) }
    return builder.add(.attention(heads: heads), [x, x * 0.5, -x])
  }

  /// Attention within windows of as many cells of a grid as there are tokens.
  private mutating func groupAttention(_ x: Tensor, _ heads: Int) -> Tensor {
    let grid = (1...).first { $0 * $0 >= x.shape[1] } ?? 1
    let window = Int.random(in: 1...grid, using: &generator)
    // Cells drawn by equal numbers are in their order.
    let noise = builder.constant(0, [x.shape[0], x.shape[1]])
    let cells = builder.add(.invertPermutation, [builder.add(.rank, [noise])])
    let cut = WindowCut(grid: grid, window: window, shift: Int.random(in: 0..<window, using: &generator))
    let groups = builder.add(.windowGroups(cut), [cells])
    let side = 2 * window - 1
    let biases = builder.parameter("b\(values.count)", [side * side, heads], .normal(standardDeviation: 1))
    return builder.add(.groupAttention(heads: heads), [x, x * 0.5, -x, biases, groups])
  }

  private mutating func rows(_ x: Tensor, _ indices: [Tensor]) -> Tensor {
    guard let permutation = indices.randomElement(using: &generator) else { return x }
    let rows = values.filter { $0.shape.rank == 3 && $0.shape[0] == 2 && $0.shape[1] == 5 }
    guard let tokens = rows.randomElement(using: &generator) else { return x }
    if Bool.random(using: &generator) { return builder.add(.scatterAdd(rows: 5), [tokens, permutation]) }
    let count = Int.random(in: 1...5, using: &generator)
    let weight = builder.parameter("w\(values.count)", [tokens.shape[2], 4], .normal(standardDeviation: 1))
    let table = builder.constant(0.5, [5, 4]) + builder.parameter("t\(values.count)", [5, 1], .constant(0))
    return (tokens.matmul(weight) + table).gathered(permutation.sliced(1, 0..<count))
  }

  private mutating func wavelet(_ x: Tensor) -> Tensor {
    let images = values.filter { $0.shape.rank == 4 && $0.shape[2] % 2 == 0 && $0.shape[3] % 2 == 0 && $0.shape.count <= 200 }
    guard let image = images.randomElement(using: &generator) else { return x }
    let wavelet = Wavelet.allCases.randomElement(using: &generator) ?? .haar
    let bands = builder.add(.waveletAnalysis(wavelet), [image])
    if Bool.random(using: &generator) { return builder.add(.waveletAdjoint(wavelet), [bands.applying(.hyperbolicTangent)]) }
    return bands.sliced(2, 1..<4)
  }
}
