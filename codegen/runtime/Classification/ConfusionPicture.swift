/// A confusion matrix as a picture: a row a class, a column what its images were taken for, darker for larger shares of the row.
package enum ConfusionPicture {
  /// Larger matrices have no picture.
  package static let maximumClasses = 2048

  private static let margin = 8
  private static let ink: UInt8 = 60
  /// The colour of a whole row.
  private static let full: [Double] = [8, 48, 107]
  /// Letters of a name that are drawn.
  private static let nameLength = 18

  package static func draw(_ score: ClassificationScore) -> Image {
    let count = score.classes.count
    let cell = max(1, min(24, 960 / max(1, count)))
    let isNamed = cell >= Caption.lineHeight
    let left = margin + (isNamed ? nameLength * Caption.advance + margin : 0)
    let top = margin + 2 * Caption.lineHeight
    let title = "rows: class, columns: taken for"
    let width = max(left + count * cell + margin, 2 * margin + title.count * Caption.advance)
    var canvas = Image(width: width, height: top + count * cell + margin, channels: 3, filledWith: 255)
    Caption.draw(title, on: &canvas, x: margin, y: margin, scale: 1, value: ink)
    for row in 0..<count {
      let images = score.confusion[row * count..<(row + 1) * count]
      let total = max(1, images.reduce(0, +))
      if isNamed {
        let name = String(score.classes.names[row].prefix(nameLength))
        Caption.draw(name, on: &canvas, x: margin, y: top + row * cell + (cell - 7) / 2, scale: 1, value: ink)
      }
      for (column, value) in images.enumerated() {
        fill(&canvas, x: left + column * cell, y: top + row * cell, size: cell, share: Double(value) / Double(total))
      }
    }
    return canvas
  }

  private static func fill(_ canvas: inout Image, x: Int, y: Int, size: Int, share: Double) {
    let border = size > 4 ? 1 : 0
    for row in 0..<size - border {
      for column in 0..<size - border {
        let position = ((y + row) * canvas.width + x + column) * 3
        for channel in 0..<3 {
          canvas.pixels[position + channel] = UInt8((245 + (full[channel] - 245) * share.squareRoot()).rounded())
        }
      }
    }
  }
}
