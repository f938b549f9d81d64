/// A training image before it is cropped: pixels, or a file that is decoded once the crop is known.
package enum LoadedImage: Sendable {
  case pixels(Image)
  case file(ImageFile)

  package var width: Int {
    switch self {
    case .pixels(let image): image.width
    case .file(let file): file.width
    }
  }

  package var height: Int {
    switch self {
    case .pixels(let image): image.height
    case .file(let file): file.height
    }
  }

  /// All pixels; those of a file at `eighths` eighths of its size.
  package func image(eighths: Int = 8) throws(TrainerError) -> Image {
    switch self {
    case .pixels(let image): return image
    case .file(let file): return try file.decoded(eighths: eighths)
    }
  }

  /// The pixels within `box`, resized to `width` times `height`, or the part of them within `window`.
  ///
  /// A JPEG file of which the box shrinks to less than a half is decoded at a fraction of its size, which differs a little from
  /// decoding it whole: by about a level of 255 on average.
  package func resized(
    _ box: Resampling.Box, width: Int, height: Int, window: Resampling.Box? = nil
  ) throws(TrainerError) -> Image {
    let eighths =
      switch self {
      case .pixels: 8
      case .file(let file): file.sufficientEighths(for: box, width: width, height: height)
      }
    let region = Resampling.Region(box, scaledBy: Double(eighths) / 8)
    return Resampling.resize(try image(eighths: eighths), region: region, width: width, height: height, window: window)
  }
}
