import WaMIMCompiler
import WaMIMGraph

extension KernelReference {
  /// One level of a wavelet transform or its adjoint in double precision, each coefficient of a wanted subband against each pixel that it is made
  /// of.
  mutating func run(_ wavelet: WaveletKernel, unit: Int) {
    let bank = wavelet.wavelet.analysis
    let (height, width) = (2 * wavelet.rows, 2 * wavelet.columns)
    func element(_ planes: WaveletKernel.Planes, _ channel: Int, _ row: Int, _ column: Int) -> Element {
      let start = unit * kernel.arguments[planes.argument].unitStride + planes.offset + channel * planes.channelStride
      return Element(argument: planes.argument, index: start + row * planes.rowStride + column)
    }
    func wrapped(_ index: Int, _ count: Int) -> Int { (index % count + count) % count }
    var sums: [Element: Double] = [:]
    for channel in 0..<wavelet.channels {
      let filters = [(bank.low, bank.low), (bank.high, bank.low), (bank.low, bank.high), (bank.high, bank.high)]
      for (band, (down, across)) in zip(wavelet.bands, filters) {
        guard let band else { continue }
        for index in Self.indices([wavelet.rows, wavelet.columns, down.coefficients.count, across.coefficients.count]) {
          let weight = down.coefficients[index[2]] * across.coefficients[index[3]]
          let row = wrapped(2 * index[0] + down.first + index[2], height)
          let column = wrapped(2 * index[1] + across.first + index[3], width)
          let pixel = element(wavelet.pictures, channel, row, column)
          let coefficient = element(band, channel, index[0], index[1])
          let (source, target) = wavelet.direction == .analysis ? (pixel, coefficient) : (coefficient, pixel)
          sums[target, default: 0] += weight * Double(arrays[source.argument][source.index])
        }
      }
    }
    for (element, sum) in sums {
      arrays[element.argument][element.index] = Float(sum)
      scale = max(scale, abs(Float(sum)))
    }
  }
}

/// An element of one of a kernel's arrays.
private struct Element: Hashable {
  var argument: Int
  var index: Int
}
