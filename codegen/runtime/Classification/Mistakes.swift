/// The images that a classifier was most wrongly sure of, as a picture.
struct Mistakes {
  /// One of them.
  private struct Mistake {
    var index: Int
    var label: Int
    var prediction: Prediction
  }

  /// Those with the largest probabilities, in falling order; of equal ones the first images.
  private var mistakes: [Mistake] = []

  /// Images in the picture.
  private static let limit = 16
  private static let columns = 4
  private static let margin = 8
  private static let ink: UInt8 = 60

  /// Takes in what a model says of an image, where it is wrong.
  mutating func add(_ index: Int, _ label: Label, _ prediction: Prediction) {
    guard prediction.category != label.category else { return }
    let position = mistakes.firstIndex { $0.prediction.probability < prediction.probability } ?? mistakes.count
    guard position < Self.limit else { return }
    mistakes.insert(Mistake(index: index, label: label.category, prediction: prediction), at: position)
    if mistakes.count > Self.limit { mistakes.removeLast() }
  }

  /// The images with their classes and what they were taken for; nil where there are none.
  func draw(from source: any ImageSource, classes: ClassTable, augmentation: Augmentation) throws(TrainerError) -> Image? {
    guard !mistakes.isEmpty else { return nil }
    let scale = max(1, 160 / max(augmentation.width, augmentation.height))
    let (width, height) = (augmentation.width * scale, augmentation.height * scale)
    let tileHeight = height + 3 * Caption.lineHeight + Self.margin
    let rows = (mistakes.count + Self.columns - 1) / Self.columns
    var canvas = Image(
      width: Self.columns * (width + Self.margin) + Self.margin, height: rows * tileHeight + Self.margin, channels: 3,
      filledWith: 250)
    let letters = width / Caption.advance
    for (number, mistake) in mistakes.enumerated() {
      let x = Self.margin + number % Self.columns * (width + Self.margin)
      let y = Self.margin + number / Self.columns * tileHeight
      let picture = try augmentation.evaluated(try source.load(at: mistake.index))
      PictureGrid.paste(picture, on: &canvas, x: x, y: y, scale: scale)
      let probability = Format.fixed(100 * mistake.prediction.probability, decimals: 0)
      let lines = [
        "is \(classes.names[mistake.label])", "taken for", "\(probability): \(classes.names[mistake.prediction.category])",
      ]
      for (line, text) in lines.enumerated() {
        Caption.draw(
          String(text.prefix(letters)), on: &canvas, x: x, y: y + height + 3 + line * Caption.lineHeight, scale: 1, value: Self.ink)
      }
    }
    return canvas
  }
}
