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
  /// What is taken of an image where nothing is cut out at random.
  package var view: View

  /// What is taken of an image where nothing is cut out at random.
  package enum View: Sendable, Equatable {
    /// The largest part of the model's shape in the middle.
    case middle
    /// The middle of the image once its shorter side is so long; 8/7 of the model's where nothing is said, or as that above 224 pixels.
    case resized(side: Int?)
  }

  package init(recipe: Recipe, width: Int, height: Int, channels: Int, view: View = .middle) {
    self.recipe = recipe
    self.view = view
    self.width = width
    self.height = height
    self.channels = channels
  }

  /// `image` as a training sample; `numbers` decides everything random.
  package func sample(_ image: LoadedImage, numbers: RandomNumbers) throws(TrainerError) -> Image {
    var numbers = numbers
    var result: Image
    if let area = recipe.cropArea {
      let box = Self.randomBox(
        width: image.width, height: image.height, area: area.lower...max(area.lower, area.upper),
        aspect: recipe.cropAspect.lower...max(recipe.cropAspect.lower, recipe.cropAspect.upper), numbers: &numbers)
      let filter: Resampling.Filter = recipe.cropBilinear ? .bilinear : .bicubic
      result = try image.resized(box, width: width, height: height, filter: filter).converted(toChannels: channels)
    } else {
      result = try evaluated(image)
    }
    if recipe.horizontalFlip && numbers.next() < 0.5 { result = Self.flipped(result) }
    return recolored(moved(result, numbers: &numbers), numbers: &numbers)
  }

  /// The augmentation with nothing random about it.
  package var forEvaluation: Augmentation {
    var recipe = recipe
    recipe.cropArea = nil
    recipe.horizontalFlip = false
    recipe.verticalFlip = false
    recipe.quarterTurns = false
    for path: WritableKeyPath<Recipe, Double> in [
      \.rotate, \.translate, \.randAugment, \.jitterBrightness, \.jitterContrast, \.jitterSaturation, \.jitterHue, \.randomErasing,
      \.mixup, \.cutmix, \.labelSmoothing,
    ] { recipe[keyPath: path] = 0 }
    return Augmentation(recipe: recipe, width: width, height: height, channels: channels, view: view)
  }

  /// `image` as a sample to evaluate on: what `forEvaluation` makes of it.
  package func evaluated(_ image: LoadedImage) throws(TrainerError) -> Image {
    switch view {
    case .middle: try centerCrop(image)
    case .resized(let side): try centerCrop(image, resize: side)
    }
  }

  /// What is erased of the sample whose random numbers for that are `numbers`.
  package func erasure(numbers: @autoclosure () -> RandomNumbers) -> Erasure? {
    guard recipe.randomErasing > 0 else { return nil }
    return Erasure(probability: recipe.randomErasing, width: width, height: height, numbers: numbers())
  }

  /// `image` flipped, turned and shifted as the recipe has it, beside the flip that most recipes have.
  private func moved(_ image: Image, numbers: inout RandomNumbers) -> Image {
    var result = image
    if recipe.verticalFlip && numbers.next() < 0.5 { result = result.flippedVertically() }
    if recipe.quarterTurns {
      result =
        width == height ? result.turned(quarters: numbers.next(below: 4)) : result.turned(quarters: 2 * numbers.next(below: 2))
    }
    guard recipe.rotate > 0 || recipe.translate > 0 else { return result }
    let degrees = recipe.rotate * numbers.next(in: -1...1)
    let shift = recipe.translate * SIMD2(numbers.next(in: -1...1), numbers.next(in: -1...1)) * SIMD2(Double(width), Double(height))
    return AffineMap.rotation(degrees: degrees, width: width, height: height, shift: shift).applied(to: result, fill: fill)
  }

  /// `image` after RandAugment and the jitter of colours.
  private func recolored(_ image: Image, numbers: inout RandomNumbers) -> Image {
    var result = image
    if recipe.randAugment > 0 {
      let operations = RandAugment(
        count: recipe.randAugmentOperations, magnitude: recipe.randAugment, deviation: recipe.randAugmentDeviation, fill: fill)
      result = operations.applied(to: result, numbers: &numbers)
    }
    return ColorJitter(recipe).applied(to: result, numbers: &numbers)
  }

  /// What comes from outside an image that is moved: the mean colour.
  private var fill: [UInt8] {
    (0..<channels).map { $0 < recipe.mean.count ? UInt8(max(0, min(255, (255 * recipe.mean[$0]).rounded()))) : 0 }
  }

  /// The middle of `image`, whose shorter side is first made `side` pixels long: how trained classifiers look at images.
  ///
  /// - Parameter side: At least the model's size; 8/7 of it where nothing is said, or as it is above 224 pixels.
  package func centerCrop(_ image: LoadedImage, resize side: Int?) throws(TrainerError) -> Image {
    let size = max(width, height)
    let side = max(size, side ?? (size > 224 ? size : size * 256 / 224))
    let shorter = min(image.width, image.height)
    let resizedWidth = image.width * side / shorter
    let resizedHeight = image.height * side / shorter
    let whole = Resampling.Box(x: 0, y: 0, width: image.width, height: image.height)
    // Halves are rounded to even, as in torchvision.
    func start(_ resized: Int, _ extent: Int) -> Int { Int((Double(resized - extent) / 2).rounded(.toNearestOrEven)) }
    let window = Resampling.Box(x: start(resizedWidth, width), y: start(resizedHeight, height), width: width, height: height)
    return try image.resized(whole, width: resizedWidth, height: resizedHeight, window: window).converted(toChannels: channels)
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
