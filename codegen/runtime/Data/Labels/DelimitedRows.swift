/// The rows of a text with columns, as RFC 4180 has them, or separated by tabs or blanks.
struct DelimitedRows {
  /// What stands between two columns.
  enum Separator {
    case comma, tab
    /// One blank or more.
    case blanks
  }

  private let bytes: UnsafeBufferPointer<UInt8>
  private var position: Int
  private let separator: Separator
  /// The number of the line that the last row began at, from 1.
  private(set) var line = 0
  private var nextLine = 1

  /// - Parameter bytes: The text, which has to stay as long as rows are read; a mark of UTF-8 at its start is passed over.
  init(_ bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
    let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    position = start
    let first = bytes[start...].prefix { $0 != Self.newline && $0 != Self.carriageReturn }
    separator = first.contains(UInt8(ascii: ",")) ? .comma : first.contains(UInt8(ascii: "\t")) ? .tab : .blanks
  }

  private static let newline = UInt8(ascii: "\n")
  private static let carriageReturn = UInt8(ascii: "\r")
  private static let quote = UInt8(ascii: "\"")

  /// The next row that is not empty; nil at the end.
  mutating func next() throws(TrainerError) -> [[UInt8]]? {
    while position < bytes.count {
      line = nextLine
      let row = try nextRow()
      if row.count > 1 || row.first?.isEmpty == false { return row }
    }
    return nil
  }

  private mutating func nextRow() throws(TrainerError) -> [[UInt8]] {
    var row: [[UInt8]] = []
    while true {
      if separator == .blanks { skipBlanks() }
      row.append(try nextField())
      guard position < bytes.count else { break }
      let byte = bytes[position]
      position += 1
      if byte == Self.newline || byte == Self.carriageReturn {
        if byte == Self.carriageReturn, position < bytes.count, bytes[position] == Self.newline { position += 1 }
        nextLine += 1
        break
      }
    }
    // Blanks at the end of a line begin no column.
    if separator == .blanks, row.count > 1, row.last?.isEmpty == true { row.removeLast() }
    return row
  }

  private mutating func skipBlanks() {
    while position < bytes.count, bytes[position] == UInt8(ascii: " ") || bytes[position] == UInt8(ascii: "\t") { position += 1 }
  }

  /// The field at the position, which then is that of what ends it.
  private mutating func nextField() throws(TrainerError) -> [UInt8] {
    guard position < bytes.count, bytes[position] == Self.quote else {
      let start = position
      while position < bytes.count, !isEnd(bytes[position]) { position += 1 }
      return Array(bytes[start..<position])
    }
    position += 1
    var field: [UInt8] = []
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      if byte == Self.quote {
        guard position < bytes.count, bytes[position] == Self.quote else {
          guard position == bytes.count || isEnd(bytes[position]) else {
            throw TrainerError("line \(line): something stands behind the quotation mark that ends a column")
          }
          return field
        }
        position += 1
      } else if byte == Self.newline {
        nextLine += 1
      }
      field.append(byte)
    }
    throw TrainerError("line \(line): a quotation mark is not closed")
  }

  /// Whether `byte` ends a field that is not in quotation marks.
  private func isEnd(_ byte: UInt8) -> Bool {
    if byte == Self.newline || byte == Self.carriageReturn { return true }
    switch separator {
    case .comma: return byte == UInt8(ascii: ",")
    case .tab: return byte == UInt8(ascii: "\t")
    case .blanks: return byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }
  }
}
