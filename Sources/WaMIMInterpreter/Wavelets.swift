import WaMIMGraph

/// One level of a separable wavelet analysis and its adjoint, from the definition: each coefficient against each number.
struct WaveletLevel {
  private let bank: WaveletFilterBank

  init(_ wavelet: Wavelet) {
    bank = wavelet.analysis
  }

  /// The subbands LL, LH, HL, HH of images [b, c, h, w], as [b, c, 4, h/2, w/2].
  func bands(of images: DenseTensor) -> [Double] {
    let (rows, columns) = (images.shape[2] / 2, images.shape[3] / 2)
    var result = zeros(images.shape)
    forEachProduct(images.shape[0] * images.shape[1], rows, columns) { band, pixel, weight in
      result[band] += weight * images.elements[pixel]
    }
    return result
  }

  /// What subbands [b, c, 4, h, w] give back to the pixels [b, c, 2h, 2w] that they are made of.
  func pixels(of bands: DenseTensor) -> [Double] {
    var result = zeros(bands.shape)
    forEachProduct(bands.shape[0] * bands.shape[1], bands.shape[3], bands.shape[4]) { band, pixel, weight in
      result[pixel] += weight * bands.elements[band]
    }
    return result
  }

  /// Tells `body` of each coefficient of `planes` pictures with `rows` × `columns` positions, each pixel that it is made of, and how
  /// much of that.
  private func forEachProduct(
    _ planes: Int, _ rows: Int, _ columns: Int, _ body: (_ band: Int, _ pixel: Int, _ weight: Double) -> Void
  ) {
    let down = [bank.low, bank.high].map { $0.terms(ofEach: rows) }
    let across = [bank.low, bank.high].map { $0.terms(ofEach: columns) }
    for plane in 0..<planes {
      for (band, (vertical, horizontal)) in [(0, 0), (1, 0), (0, 1), (1, 1)].enumerated() {
        for row in 0..<rows {
          for column in 0..<columns {
            let coefficient = ((plane * 4 + band) * rows + row) * columns + column
            for (y, first) in down[vertical][row] {
              for (x, second) in across[horizontal][column] {
                body(coefficient, (plane * 2 * rows + y) * 2 * columns + x, first * second)
              }
            }
          }
        }
      }
    }
  }
}

extension WaveletFilter {
  /// For each of `count` coefficients the indices of the numbers, among twice as many that repeat, of which it is made, and how much of
  /// each.
  fileprivate func terms(ofEach count: Int) -> [[(index: Int, weight: Double)]] {
    (0..<count).map { index in
      coefficients.enumerated().map { offset, weight in
        let number = (2 * index + first + offset) % (2 * count)
        return (number < 0 ? number + 2 * count : number, weight)
      }
    }
  }
}
