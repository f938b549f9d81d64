/// A position in a source text: a file, by its number in the list of sources, a line and a column.
struct Position: Hashable, Sendable {
  var source: Int32
  /// Counts from 1.
  var line: Int32
  /// Counts Unicode scalars from 1.
  var column: Int32
}

/// A text and the name that messages call it by.
struct SourceText: Sendable {
  var name: String
  var text: String

  /// The text of `line`, which counts from 1, or nil where there is none.
  func line(_ line: Int) -> String? {
    guard line >= 1 else { return nil }
    var remaining = line - 1
    var start = text.utf8.startIndex
    while remaining > 0 {
      guard let end = text.utf8[start...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
      start = text.utf8.index(after: end)
      remaining -= 1
    }
    let end = text.utf8[start...].firstIndex(of: UInt8(ascii: "\n")) ?? text.utf8.endIndex
    return String(text[start..<end])
  }

  /// `line` with a caret under `column`, cut to the neighbourhood of the column where it is long.
  func excerpt(line: Int, column: Int) -> String? {
    guard let text = self.line(line) else { return nil }
    let scalars = Array(text.unicodeScalars)
    guard column >= 1, column <= scalars.count + 1 else { return nil }
    let (before, after) = (100, 60)
    let isShort = scalars.count <= before + after
    let start = isShort ? 0 : max(0, column - 1 - before)
    let end = isShort ? scalars.count : min(scalars.count, column - 1 + after)
    var shown = start > 0 ? "…" : ""
    var padding = start > 0 ? " " : ""
    for index in start..<end {
      let scalar = scalars[index]
      let printable = scalar == "\t" || !SourceText.isControl(scalar)
      shown.unicodeScalars.append(printable ? scalar : "\u{FFFD}")
      if index < column - 1 { padding += scalar == "\t" ? "\t" : " " }
    }
    while shown.last?.isWhitespace == true { shown.removeLast() }
    return "  " + shown + (end < scalars.count ? "…" : "") + "\n  " + padding + "^"
  }

  /// Whether `scalar` would move the cursor or change the terminal instead of showing up.
  static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: true
    default: false
    }
  }
}
