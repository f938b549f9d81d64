import Testing
import WaMIMCompiler
import WaMIMGraph

/// Compiled wavelet kernels against the definition.
@Suite struct WaveletKernelTests {
  /// A kernel on arrays whose channels, rows and bands lie some way apart.
  private func kernelCase(
    _ wavelet: Wavelet, _ direction: WaveletKernel.Direction, rows: Int, columns: Int, generator: inout SeededGenerator
  ) -> KernelCase {
    let (units, channels) = (generator.int(1...3), generator.int(1...3))
    func planes(_ argument: Int, count: Int, rows: Int, columns: Int) -> (planes: WaveletKernel.Planes, stride: Int, size: Int) {
      let rowStride = columns + generator.int(0...3)
      let stride = rows * rowStride + generator.int(0...5)
      let offset = generator.int(0...5)
      let planes = WaveletKernel.Planes(argument: argument, offset: offset, channelStride: count * stride, rowStride: rowStride)
      return (planes, stride, offset + channels * count * stride)
    }
    let isAnalysis = direction == .analysis
    let pictures = planes(isAnalysis ? 0 : 1, count: 1, rows: 2 * rows, columns: 2 * columns)
    let bands = planes(isAnalysis ? 1 : 0, count: 4, rows: rows, columns: columns)
    let kernel = WaveletKernel(
      direction: direction, wavelet: wavelet, channels: channels, rows: rows, columns: columns, pictures: pictures.planes,
      bands: bands.planes, bandStride: bands.stride, workspace: 2)
    let sizes = isAnalysis ? [pictures.size, bands.size] : [bands.size, pictures.size]
    let arguments = [
      KernelArgument(element: .float32, access: .read, unitStride: sizes[0], count: sizes[0]),
      KernelArgument(element: .float32, access: .write, unitStride: sizes[1], count: sizes[1]),
      KernelArgument(element: .float32, access: .workspace, unitStride: 0, count: kernel.workspaceCount),
    ]
    return KernelCase(
      kernel: Kernel(arguments: arguments, body: .wavelet(kernel)),
      arrays: [
        generator.floats(units * sizes[0]), generator.floats(units * sizes[1]), generator.floats(kernel.workspaceCount),
      ], units: units, tolerance: 1e-6)
  }

  /// Extents of subbands: shorter than filters and than vectors, around the vectors' lengths, and those of real models.
  private static let extents = [
    (1, 1), (1, 7), (2, 3), (3, 2), (5, 4), (4, 5), (6, 8), (3, 9), (2, 15), (7, 16), (2, 17), (3, 33), (24, 24), (9, 112),
  ]

  @Test(arguments: Wavelet.allCases, [WaveletKernel.Direction.analysis, .adjoint])
  func kernelsAgreeWithReference(wavelet: Wavelet, direction: WaveletKernel.Direction) throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var generator = SeededGenerator(seed: seed)
    let cases = Self.extents.map { rows, columns in
      kernelCase(wavelet, direction, rows: rows, columns: columns, generator: &generator)
    }
    try checkAgainstReference(cases, seed: seed, generator: &generator)
  }

  /// Details of a bright picture are small differences of large numbers.
  @Test(arguments: Wavelet.allCases) func detailsOfBrightPicturesAreExact(wavelet: Wavelet) throws {
    var generator = SeededGenerator(seed: 1)
    var item = kernelCase(wavelet, .analysis, rows: 12, columns: 12, generator: &generator)
    item.arrays[0] = item.arrays[0].map { 1000 + $0 / 1024 }
    guard case .wavelet(let kernel) = item.kernel.body else { return }
    var reference = KernelReference(item.kernel, arrays: item.arrays)
    reference.run(0..<item.units)
    var arrays = item.arrays
    try CompiledKernels([item.kernel]).run(0, arrays: &arrays, ranges: [0..<item.units])
    for band in 1..<4 {
      for element in 0..<12 * 12 {
        let place = kernel.bands.offset + band * kernel.bandStride + element / 12 * kernel.bands.rowStride + element % 12
        // Single precision tells numbers around 2000 apart by 1.2e-4.
        #expect(abs(arrays[1][place] - reference.arrays[1][place]) < 2e-4)
      }
    }
  }
}
