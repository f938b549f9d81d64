import WaMIMCompiler
import WaMIMGraph

extension KernelReference {
  /// One level of a wavelet transform or its adjoint in double precision, each coefficient against each pixel that it is made of.
  mutating func run(_ wavelet: WaveletKernel, unit: Int) {
    let bank = wavelet.wavelet.analysis
    let (height, width) = (2 * wavelet.rows, 2 * wavelet.columns)
    func place(_ planes: WaveletKernel.Planes, _ channel: Int, _ row: Int, _ column: Int) -> Int {
      unit * kernel.arguments[planes.argument].unitStride + planes.offset + channel * planes.channelStride + row * planes.rowStride
        + column
    }
    func wrapped(_ place: Int, _ count: Int) -> Int { (place % count + count) % count }
    var sums: [Int: Double] = [:]
    for channel in 0..<wavelet.channels {
      for (band, (down, across)) in [
        (bank.low, bank.low), (bank.high, bank.low), (bank.low, bank.high), (bank.high, bank.high),
      ].enumerated() {
        for index in Self.indices([wavelet.rows, wavelet.columns, down.coefficients.count, across.coefficients.count]) {
          let weight = down.coefficients[index[2]] * across.coefficients[index[3]]
          let row = wrapped(2 * index[0] + down.first + index[2], height)
          let column = wrapped(2 * index[1] + across.first + index[3], width)
          let pixel = place(wavelet.pictures, channel, row, column)
          let coefficient = place(wavelet.bands, channel, index[0], index[1]) + band * wavelet.bandStride
          switch wavelet.direction {
          case .analysis: sums[coefficient, default: 0] += weight * Double(arrays[wavelet.pictures.argument][pixel])
          case .adjoint: sums[pixel, default: 0] += weight * Double(arrays[wavelet.bands.argument][coefficient])
          }
        }
      }
    }
    let target = wavelet.direction == .analysis ? wavelet.bands.argument : wavelet.pictures.argument
    for (place, sum) in sums {
      arrays[target][place] = Float(sum)
      scale = max(scale, abs(Float(sum)))
    }
  }
}
