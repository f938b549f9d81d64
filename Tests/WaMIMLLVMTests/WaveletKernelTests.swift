import KernelSupport
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMLayers

/// Compiled wavelet kernels against the definition.
@Suite struct WaveletKernelTests {
  /// A kernel on arrays whose channels and rows lie some way apart; of an analysis, some subbands are wanted and some are not.
  private func kernelCase(
    _ wavelet: Wavelet, _ direction: WaveletKernel.Direction, rows: Int, columns: Int, wanted: Double = 1,
    generator: inout SeededGenerator
  ) -> KernelCase {
    let (units, channels) = (generator.int(1...3), generator.int(1...3))
    var sizes: [Int] = []
    func planes(_ rows: Int, _ columns: Int) -> WaveletKernel.Planes {
      let rowStride = columns + generator.int(0...3)
      let (channelStride, offset) = (rows * rowStride + generator.int(0...5), generator.int(0...5))
      sizes.append(offset + channels * channelStride)
      return WaveletKernel.Planes(argument: sizes.count - 1, offset: offset, channelStride: channelStride, rowStride: rowStride)
    }
    let pictures = planes(2 * rows, 2 * columns)
    let bands = WaveletKernel.bandNames.map { _ in generator.chance(wanted) ? planes(rows, columns) : nil }
    let kernel = WaveletKernel(
      direction: direction, wavelet: wavelet, channels: channels, rows: rows, columns: columns, pictures: pictures, bands: bands,
      workspace: sizes.count)
    let arguments = sizes.enumerated().map { number, size in
      KernelArgument(
        element: .float32, access: (number == 0) == (direction == .analysis) ? .read : .write, unitStride: size, count: size)
    }
    let workspace = KernelArgument(element: .float32, access: .workspace, unitStride: 0, count: 0)
    return KernelCase(
      kernel: Kernel(arguments: arguments + [workspace], body: .wavelet(kernel)),
      arrays: sizes.map { generator.floats(units * $0) } + [[]], units: units, tolerance: 1e-6)
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

  @Test(arguments: Wavelet.allCases) func unwantedSubbandsAreLeftOut(wavelet: Wavelet) throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var generator = SeededGenerator(seed: seed)
    let cases = Self.extents.map { rows, columns in
      kernelCase(wavelet, .analysis, rows: rows, columns: columns, wanted: 0.5, generator: &generator)
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
    for case let planes? in kernel.bands.dropFirst() {
      for element in 0..<12 * 12 {
        let index = planes.offset + element / 12 * planes.rowStride + element % 12
        // Single precision tells numbers around 2000 apart by 1.2e-4.
        #expect(abs(arrays[planes.argument][index] - reference.arrays[planes.argument][index]) < 2e-4)
      }
    }
  }
}
