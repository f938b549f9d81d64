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

  /// The pixels within `box`, resized to `width` times `height`, or those of them within `window`.
  ///
  /// A JPEG file of which the box shrinks to less than a half is decoded at a fraction of its size, which differs a little from
  /// decoding it whole: by about a level of 255 on average.
  package func resized(
    _ box: Resampling.Box, width: Int, height: Int, window: Resampling.Box? = nil, filter: Resampling.Filter = .bicubic
  ) throws(TrainerError) -> Image {
    switch self {
    case .pixels(let image):
      return Resampling.resize(image, region: Resampling.Region(box), width: width, height: height, window: window, filter: filter)
    case .file(let file):
      let eighths = file.sufficientEighths(for: box, width: width, height: height)
      let region = file.region(of: box, eighths: eighths)
      return try file.withPixels(eighths: eighths) { pixels in
        Resampling.resize(pixels, region: region, width: width, height: height, window: window, filter: filter)
      }
    }
  }
}
