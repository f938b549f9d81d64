import KernelSupport
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph

@Suite struct AttentionTests {
  /// Queries, keys and values side by side in one array, as a linear layer leaves them.
  private func packed(_ shape: AttentionShape, units: Int, generator: inout SeededGenerator) -> KernelCase {
    let width = shape.heads * shape.headWidth
    let tokens = max(shape.queryCount, shape.keyCount)
    let count = tokens * 3 * width
    func rows(_ third: Int) -> TokenRows { TokenRows(argument: 0, offset: third * width, rowStride: 3 * width) }
    let kernel = AttentionKernel(
      shape: shape, query: rows(0), key: rows(1), value: rows(2), result: TokenRows(argument: 1, offset: 0, rowStride: width),
      workspace: 2)
    let arguments = [
      KernelArgument(element: .float32, access: .read, unitStride: count, count: count),
      KernelArgument(element: .float32, access: .write, unitStride: shape.queryCount * width, count: shape.queryCount * width),
      KernelArgument(element: .float32, access: .workspace, unitStride: 0, count: 0),
    ]
    return KernelCase(
      kernel: Kernel(arguments: arguments, body: .attention(kernel)),
      arrays: [
        generator.floats(units * count), generator.floats(units * shape.queryCount * width), [],
      ], units: units, tolerance: 3e-6)
  }

  private func gradient(_ shape: AttentionShape, units: Int, generator: inout SeededGenerator) -> KernelCase {
    let forward = packed(shape, units: units, generator: &generator)
    let width = shape.heads * shape.headWidth
    func rows(_ argument: Int, _ third: Int) -> TokenRows {
      TokenRows(argument: argument, offset: third * width, rowStride: 3 * width)
    }
    let wanted = (0..<3).map { _ in generator.chance(0.8) }
    let kernel = AttentionGradientKernel(
      shape: shape, query: rows(0, 0), key: rows(0, 1), value: rows(0, 2),
      gradient: TokenRows(argument: 1, offset: 0, rowStride: width), queryGradient: wanted[0] ? rows(3, 0) : nil,
      keyGradient: wanted[1] ? rows(3, 1) : nil, valueGradient: wanted[2] ? rows(3, 2) : nil, workspace: 2)
    var arguments = forward.kernel.arguments
    arguments[1].access = .read
    arguments.append(arguments[0])
    arguments[3].access = .write
    return KernelCase(
      kernel: Kernel(arguments: arguments, body: .attentionGradient(kernel)),
      arrays: forward.arrays + [generator.floats(forward.arrays[0].count)], units: units, tolerance: 1e-5)
  }

  private static let shapes = [
    AttentionShape(heads: 3, headWidth: 16, queryCount: 17, keyCount: 17),
    AttentionShape(heads: 2, headWidth: 24, queryCount: 50, keyCount: 50),
    AttentionShape(heads: 1, headWidth: 64, queryCount: 12, keyCount: 65),
    AttentionShape(heads: 4, headWidth: 5, queryCount: 61, keyCount: 7),
    AttentionShape(heads: 2, headWidth: 6, queryCount: 1, keyCount: 64),
    AttentionShape(heads: 1, headWidth: 1, queryCount: 3, keyCount: 1),
    AttentionShape(heads: 2, headWidth: 20, queryCount: 145, keyCount: 129),
    AttentionShape(heads: 1, headWidth: 32, queryCount: 197, keyCount: 197),
  ]

  @Test(arguments: [false, true]) func attentionAgreesWithReference(isRounded: Bool) throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var generator = SeededGenerator(seed: seed)
    let cases = sizes(isRounded).map { packed($0, units: 3, generator: &generator).rounding(isRounded ? [0, 1] : []) }
    try checkAgainstReference(cases, seed: seed, generator: &generator)
  }

  @Test(arguments: [false, true]) func attentionGradientAgreesWithReference(isRounded: Bool) throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var generator = SeededGenerator(seed: seed)
    let cases = sizes(isRounded).map { gradient($0, units: 3, generator: &generator).rounding(isRounded ? [0, 1, 3] : []) }
    try checkAgainstReference(cases, seed: seed, generator: &generator)
  }

  /// The sizes to try: of what moves rounded numbers in and out of the same products, half of them.
  private func sizes(_ isRounded: Bool) -> [AttentionShape] {
    isRounded ? Self.shapes.indices.filter { $0.isMultiple(of: 2) }.map { Self.shapes[$0] } : Self.shapes
  }
}
