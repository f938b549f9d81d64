import Glibc
import WaMIMManifest

/// What happens to an image between its file and the model: crop, resize, flip.
package struct Augmentation: Sendable {
  /// What says how.
  package let recipe: Recipe
  /// The model's image size.
  package let width: Int
  package let height: Int
  /// The model's channels, 1 or 3.
  package let channels: Int

  package init(recipe: Recipe, width: Int, height: Int, channels: Int) {
    self.recipe = recipe
    self.width = width
    self.height = height
    self.channels = channels
  }

  /// `image` as a training sample; `numbers` decides crop and flip.
  package func sample(_ image: LoadedImage, numbers: RandomNumbers) throws(TrainerError) -> Image {
    var numbers = numbers
    guard let area = recipe.cropArea else {
      let result = try centerCrop(image)
      return recipe.horizontalFlip && numbers.next() < 0.5 ? Self.flipped(result) : result
    }
    let box = Self.randomBox(
      width: image.width, height: image.height, area: area.lower...max(area.lower, area.upper),
      aspect: recipe.cropAspect.lower...max(recipe.cropAspect.lower, recipe.cropAspect.upper), numbers: &numbers)
    let result = try image.resized(box, width: width, height: height).converted(toChannels: channels)
    return recipe.horizontalFlip && numbers.next() < 0.5 ? Self.flipped(result) : result
  }

  /// The middle of `image`, resized so that as little as possible is cut off.
  package func centerCrop(_ image: LoadedImage) throws(TrainerError) -> Image {
    let scale = max(Double(width) / Double(image.width), Double(height) / Double(image.height))
    let resizedWidth = max(width, Int(Double(image.width) * scale))
    let resizedHeight = max(height, Int(Double(image.height) * scale))
    let whole = Resampling.Box(x: 0, y: 0, width: image.width, height: image.height)
    let window = Resampling.Box(x: (resizedWidth - width) / 2, y: (resizedHeight - height) / 2, width: width, height: height)
    return try image.resized(whole, width: resizedWidth, height: resizedHeight, window: window).converted(toChannels: channels)
  }

  /// Draws a box of a share of the image's area within `area` and of an aspect ratio within `aspect`.
  ///
  /// Ten boxes are tried; where none fits inside the image, the largest box in its middle whose aspect ratio is allowed is taken.
  package static func randomBox(
    width: Int, height: Int, area: ClosedRange<Double>, aspect: ClosedRange<Double>, numbers: inout RandomNumbers
  ) -> Resampling.Box {
    for _ in 0..<10 {
      let target = Double(width * height) * numbers.next(in: area)
      let ratio = exp(numbers.next(in: log(aspect.lowerBound)...log(aspect.upperBound)))
      let boxWidth = Int((target * ratio).squareRoot().rounded())
      let boxHeight = Int((target / ratio).squareRoot().rounded())
      if (1...width).contains(boxWidth) && (1...height).contains(boxHeight) {
        return Resampling.Box(
          x: numbers.next(below: width - boxWidth + 1), y: numbers.next(below: height - boxHeight + 1), width: boxWidth,
          height: boxHeight)
      }
    }
    let ratio = Double(width) / Double(height)
    var boxWidth = width
    var boxHeight = height
    if ratio < aspect.lowerBound {
      boxHeight = min(height, max(1, Int((Double(width) / aspect.lowerBound).rounded())))
    } else if ratio > aspect.upperBound {
      boxWidth = min(width, max(1, Int((Double(height) * aspect.upperBound).rounded())))
    }
    return Resampling.Box(x: (width - boxWidth) / 2, y: (height - boxHeight) / 2, width: boxWidth, height: boxHeight)
  }

  /// `image` with left and right exchanged.
  package static func flipped(_ image: Image) -> Image {
    var result = image
    for y in 0..<image.height {
      for x in 0..<image.width {
        let from = (y * image.width + image.width - 1 - x) * image.channels
        let to = (y * image.width + x) * image.channels
        for channel in 0..<image.channels { result.pixels[to + channel] = image.pixels[from + channel] }
      }
    }
    return result
  }
}
