/// Rows of pictures side by side, with a caption over each column and one below all.
package struct PictureGrid {
  /// One row, a picture for each title.
  package typealias Row = [Image]

  private static let margin = 8
  private static let background: UInt8 = 250
  private static let ink: UInt8 = 60

  /// Draws `rows`, whose pictures have the same size, in colour, with `titles` over the columns.
  package static func draw(_ rows: [Row], titles: [String], footer: String) -> Image {
    guard let first = rows.first?.first else { return Image(width: 1, height: 1, channels: 3) }
    // Small pictures are enlarged, so that a pixel stays a square.
    let scale = max(1, 160 / max(first.width, first.height))
    let width = first.width * scale
    let height = first.height * scale
    // Many pictures stand in two blocks, where rows are short.
    let blocks = rows.count > 4 && titles.count <= 3 ? 2 : 1
    let lines = (rows.count + blocks - 1) / blocks
    let header = Caption.lineHeight + margin
    let blockWidth = titles.count * (width + margin)
    let totalWidth = blocks * blockWidth + margin + (blocks - 1) * margin
    let footerLines = wrapped(footer, columns: (totalWidth - 2 * margin) / Caption.advance)
    let totalHeight = header + lines * (height + margin) + footerLines.count * Caption.lineHeight + margin
    var canvas = Image(width: totalWidth, height: totalHeight, channels: 3, filledWith: background)
    for block in 0..<blocks {
      let left = margin + block * (blockWidth + margin)
      for (column, title) in titles.enumerated() {
        Caption.draw(title, on: &canvas, x: left + column * (width + margin), y: margin, scale: 1, value: ink)
      }
      for line in 0..<lines where block * lines + line < rows.count {
        for (column, picture) in rows[block * lines + line].enumerated() {
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
  static func paste(_ picture: Image, on canvas: inout Image, x: Int, y: Int, scale: Int) {
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
