/// Rows of pictures side by side, with a caption over each column and one below all.
package struct PictureGrid {
  /// One row: the input, what the model saw, and what it made of it.
  package struct Row {
    package var input: Image
    package var masked: Image
    package var reconstruction: Image

    package init(input: Image, masked: Image, reconstruction: Image) {
      self.input = input
      self.masked = masked
      self.reconstruction = reconstruction
    }
  }

  private static let margin = 8
  private static let background: UInt8 = 250
  private static let ink: UInt8 = 60

  /// Draws `rows`, whose pictures have the same size, in colour.
  package static func draw(_ rows: [Row], footer: String) -> Image {
    guard let first = rows.first else { return Image(width: 1, height: 1, channels: 3) }
    // Small pictures are enlarged, so that a pixel stays a square.
    let scale = max(1, 160 / max(first.input.width, first.input.height))
    let width = first.input.width * scale
    let height = first.input.height * scale
    // Many pictures stand in two blocks of three columns.
    let blocks = rows.count > 4 ? 2 : 1
    let lines = (rows.count + blocks - 1) / blocks
    let header = Caption.lineHeight + margin
    let totalWidth = blocks * 3 * (width + margin) + margin + (blocks - 1) * margin
    let footerLines = wrapped(footer, columns: (totalWidth - 2 * margin) / Caption.advance)
    let totalHeight = header + lines * (height + margin) + footerLines.count * Caption.lineHeight + margin
    var canvas = Image(width: totalWidth, height: totalHeight, channels: 3, filledWith: background)
    for block in 0..<blocks {
      let left = margin + block * (3 * (width + margin) + margin)
      for (column, title) in ["input", "masked", "reconstruction"].enumerated() {
        Caption.draw(title, on: &canvas, x: left + column * (width + margin), y: margin, scale: 1, value: ink)
      }
      for line in 0..<lines where block * lines + line < rows.count {
        let row = rows[block * lines + line]
        for (column, picture) in [row.input, row.masked, row.reconstruction].enumerated() {
          paste(picture, on: &canvas, x: left + column * (width + margin), y: header + line * (height + margin), scale: scale)
        }
      }
    }
    for (index, line) in footerLines.enumerated() {
      let y = header + lines * (height + margin) + index * Caption.lineHeight
      Caption.draw(line, on: &canvas, x: margin, y: y, scale: 1, value: ink)
    }
    return canvas
  }

  /// Draws `picture`, each of its pixels as a square of `scale` pixels.
  private static func paste(_ picture: Image, on canvas: inout Image, x: Int, y: Int, scale: Int) {
    let picture = picture.converted(toChannels: 3)
    for row in 0..<picture.height * scale {
      for column in 0..<picture.width * scale {
        let from = (row / scale * picture.width + column / scale) * 3
        let to = ((y + row) * canvas.width + x + column) * 3
        for channel in 0..<3 { canvas.pixels[to + channel] = picture.pixels[from + channel] }
      }
    }
  }

  /// `text` in lines of at most `columns` characters, broken between words.
  static func wrapped(_ text: String, columns: Int) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
      if let last = lines.last, last.count + 1 + word.count <= columns {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append(String(word))
      }
    }
    return lines
  }
}
