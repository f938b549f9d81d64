import TestSupport
import WaMIMCompiler

extension KernelCase {
  /// Rows of `width` elements that are added up by index, those of up to three samples together.
  package static func scatter(width: Int, generator: inout SeededGenerator) -> KernelCase {
    let (samples, count, rows, offset) = (generator.int(1...3), generator.int(1...9), generator.int(1...9), generator.int(0...5))
    let rowStride = width + generator.int(0...4)
    let sampleStride = count * rowStride + generator.int(0...2)
    let source = offset + samples * sampleStride
    let indices = (0..<2 * samples * count).map { _ in Float(generator.int(0...rows - 1)) }
    let scatter = ScatterKernel(
      samples: samples, count: count, rows: rows, width: width, sourceOffset: offset, sampleStride: sampleStride,
      rowStride: rowStride)
    let arguments = [
      KernelArgument(element: .float32, access: .read, unitStride: source, count: source),
      KernelArgument(element: .int32, access: .read, unitStride: samples * count, count: samples * count),
      KernelArgument(element: .float32, access: .write, unitStride: rows * width, count: rows * width),
    ]
    return KernelCase(
      kernel: Kernel(arguments: arguments, body: .index(.scatterAdd(scatter))),
      arrays: [generator.floats(2 * source), indices, generator.floats(2 * rows * width)], units: 2, tolerance: 0)
  }
}
