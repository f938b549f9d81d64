/// The details of one wavelet level as a picture: what they alone add to the image, around grey.
struct LevelPicture {
  /// The picture's pixels for each unit of the details, chosen so that most of the target's range is seen.
  private let gain: Float
  private let transform: WaveletTransform
  private let width: Int
  private let height: Int

  /// The pixel of a detail that is zero.
  private static let middle: Float = 128
  /// How many standard deviations of the target reach from grey to black or white.
  private static let visibleDeviations: Float = 3

  /// - Parameters:
  ///   - target: The target's details, [channels · 3, height, width].
  ///   - transform: The transform that the details belong to.
  ///   - width: The width of the whole image, to which pictures are enlarged.
  init(scaledTo target: Planes, transform: WaveletTransform, width: Int, height: Int) {
    let band = Self.band(target, transform)
    let square = band.values.reduce(0) { $0 + $1 * $1 } / Float(max(1, band.values.count))
    gain = square > 0 ? 127 / (Self.visibleDeviations * square.squareRoot()) : 0
    self.transform = transform
    self.width = width
    self.height = height
  }

  /// Draws `details`, those of visible positions as zero where a mask is given.
  func draw(_ details: Planes, hiddenBy mask: PatchMask? = nil) -> Image {
    var details = details
    if let mask {
      for row in 0..<details.height {
        for column in 0..<details.width where !mask.isHidden(row: row, column: column, height: details.height, width: details.width)
        {
          for channel in 0..<details.channels { details[channel, row, column] = 0 }
        }
      }
    }
    let band = Self.band(details, transform)
    var image = Image(width: width, height: height, channels: band.channels)
    for row in 0..<height {
      for column in 0..<width {
        for channel in 0..<band.channels {
          let value = band[channel, row * band.height / height, column * band.width / width]
          let pixel = (Self.middle + gain * value).rounded()
          image.pixels[(row * width + column) * band.channels + channel] = pixel.isNaN ? 0 : UInt8(max(0, min(255, pixel)))
        }
      }
    }
    return image
  }

  /// What the details alone are one level finer.
  private static func band(_ details: Planes, _ transform: WaveletTransform) -> Planes {
    let coarse = Planes(channels: details.channels / 3, height: details.height, width: details.width)
    return transform.synthesize(WaveletTransform.Level(coarse: coarse, details: details))
  }
}
