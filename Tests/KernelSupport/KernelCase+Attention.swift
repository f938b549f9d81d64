import TestSupport
import WaMIMCompiler

extension KernelCase {
  /// Queries, keys and values side by side in one array, as a linear layer leaves them.
  package static func attention(_ shape: AttentionShape, units: Int, generator: inout SeededGenerator) -> KernelCase {
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

  /// The gradients of those, or some of them.
  package static func attentionGradient(_ shape: AttentionShape, units: Int, generator: inout SeededGenerator) -> KernelCase {
    let forward = attention(shape, units: units, generator: &generator)
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
}
