import KernelSupport
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph

@Suite struct GroupAttentionTests {
  /// A problem: a grid cut into windows, of which each sample has some tokens.
  struct Problem {
    var cut: WindowCut
    var tokens: Int
    var heads: Int
    var headWidth: Int
  }

  private static let problems = [
    Problem(cut: WindowCut(grid: 14, window: 7, shift: 3), tokens: 48, heads: 2, headWidth: 32),
    Problem(cut: WindowCut(grid: 7, window: 7, shift: 0), tokens: 49, heads: 1, headWidth: 16),
    Problem(cut: WindowCut(grid: 9, window: 3, shift: 1), tokens: 81, heads: 3, headWidth: 5),
    Problem(cut: WindowCut(grid: 16, window: 8, shift: 4), tokens: 101, heads: 2, headWidth: 24),
    Problem(cut: WindowCut(grid: 4, window: 1, shift: 0), tokens: 3, heads: 1, headWidth: 1),
    Problem(cut: WindowCut(grid: 20, window: 4, shift: 2), tokens: 1, heads: 4, headWidth: 40),
  ]

  /// Queries, keys and values side by side in one array, as a linear layer leaves them.
  private func attention(_ problem: Problem, units: Int, generator: inout SeededGenerator) -> KernelCase {
    let (tokens, width) = (problem.tokens, problem.heads * problem.headWidth)
    let shape = GroupAttentionShape(
      heads: problem.heads, headWidth: problem.headWidth, tokenCount: tokens, window: problem.cut.window,
      expectedPairs: problem.cut.expectedPairs(visible: tokens, side: 1))
    func rows(_ third: Int) -> TokenRows { TokenRows(argument: 0, offset: third * width, rowStride: 3 * width) }
    let kernel = GroupAttentionKernel(
      shape: shape, query: rows(0), key: rows(1), value: rows(2), bias: 1, groups: 2,
      result: TokenRows(argument: 3, offset: 0, rowStride: width), workspace: 4)
    func argument(_ element: ElementType, _ access: KernelArgument.Access, _ count: Int, moves: Bool = true) -> KernelArgument {
      KernelArgument(element: element, access: access, unitStride: moves ? count : 0, count: count)
    }
    let biases = shape.biasCount * problem.heads
    return KernelCase(
      kernel: Kernel(
        arguments: [
          argument(.float32, .read, tokens * 3 * width), argument(.float32, .read, biases, moves: false),
          argument(.int32, .read, 3 * tokens), argument(.float32, .write, tokens * width),
          argument(.float32, .workspace, 0, moves: false),
        ], body: .groupAttention(kernel)),
      arrays: [
        generator.floats(units * tokens * 3 * width), generator.floats(biases),
        (0..<units).flatMap { _ in groups(problem, generator: &generator) }, generator.floats(units * tokens * width), [],
      ], units: units, tolerance: 3e-6)
  }

  /// The table of one sample's groups.
  private func groups(_ problem: Problem, generator: inout SeededGenerator) -> [Float] {
    let grid = problem.cut.grid
    let cells = (0..<grid * grid).shuffled(using: &generator).prefix(problem.tokens).map { $0 }
    let order = cells.indices.sorted { problem.cut.window(of: cells[$0]) < problem.cut.window(of: cells[$1]) }
    let windows = order.map { problem.cut.window(of: cells[$0]) }
    let ends = (1...problem.tokens).filter { $0 == problem.tokens || windows[$0] != windows[$0 - 1] }
    let rest = [Int](repeating: problem.tokens, count: problem.tokens - ends.count)
    return (order + ends + rest + order.map { problem.cut.code(of: cells[$0]) }).map { Float($0) }
  }

  private func gradient(_ problem: Problem, units: Int, generator: inout SeededGenerator) -> KernelCase {
    let forward = attention(problem, units: units, generator: &generator)
    guard case .groupAttention(let attention) = forward.kernel.body else { return forward }
    let width = problem.heads * problem.headWidth
    func rows(_ third: Int) -> TokenRows { TokenRows(argument: 5, offset: third * width, rowStride: 3 * width) }
    let wanted = (0..<4).map { _ in generator.chance(0.8) }
    let kernel = GroupAttentionGradientKernel(
      attention: attention, queryGradient: wanted[0] ? rows(0) : nil, keyGradient: wanted[1] ? rows(1) : nil,
      valueGradient: wanted[2] ? rows(2) : nil, biasGradient: wanted[3] ? 6 : nil)
    var arguments = forward.kernel.arguments
    arguments[3].access = .read
    let biases = arguments[1].count
    arguments.append(arguments[0])
    arguments[5].access = .write
    arguments.append(KernelArgument(element: .float32, access: .write, unitStride: biases, count: biases))
    return KernelCase(
      kernel: Kernel(arguments: arguments, body: .groupAttentionGradient(kernel)),
      arrays: forward.arrays + [generator.floats(forward.arrays[0].count), generator.floats(units * biases)], units: units,
      tolerance: 1e-5)
  }

  @Test(arguments: [false, true]) func attentionWithinGroupsAgreesWithReference(isRounded: Bool) throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var generator = SeededGenerator(seed: seed)
    let cases = sizes(isRounded).map { attention($0, units: 3, generator: &generator).rounding(isRounded ? [0, 3] : []) }
    try checkAgainstReference(cases, seed: seed, generator: &generator)
  }

  @Test(arguments: [false, true]) func theGradientWithinGroupsAgreesWithReference(isRounded: Bool) throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var generator = SeededGenerator(seed: seed)
    let cases = sizes(isRounded).map { gradient($0, units: 3, generator: &generator).rounding(isRounded ? [0, 3, 5] : []) }
    try checkAgainstReference(cases, seed: seed, generator: &generator)
  }

  /// The sizes to try: of what moves rounded numbers in and out of the same products, half of them.
  private func sizes(_ isRounded: Bool) -> [Problem] {
    isRounded ? Self.problems.indices.filter { $0.isMultiple(of: 2) }.map { Self.problems[$0] } : Self.problems
  }
}
