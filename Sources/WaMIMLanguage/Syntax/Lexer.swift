import Foundation

/// Splits a source text into tokens.
struct Lexer {
  /// The longest name.
  static let longestName = 200
  /// The longest string.
  static let longestString = 10_000

  private let bytes: [UInt8]
  private var offset = 0
  private var position: Position
  private var startsLine = true

  /// The tokens of `text`, the last one `end`.
  ///
  /// - Throws: `Mistake` at the first character that belongs to no token.
  static func tokens(of text: String, source: Int) throws(Mistake) -> [Token] {
    var lexer = Lexer(text, source: source)
    var tokens: [Token] = []
    while true {
      let token = try lexer.next()
      tokens.append(token)
      if token.kind == .end { return tokens }
    }
  }

  private init(_ text: String, source: Int) {
    bytes = Array(text.utf8)
    position = Position(source: Int32(source), line: 1, column: 1)
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { offset = 3 }
  }

  private func peek(_ distance: Int = 0) -> UInt8? {
    offset + distance < bytes.count ? bytes[offset + distance] : nil
  }

  private mutating func advance(_ count: Int = 1) {
    for byte in bytes[offset..<min(offset + count, bytes.count)] {
      if byte == UInt8(ascii: "\n") {
        position.line += 1
        position.column = 1
        startsLine = true
      } else if byte & 0xC0 != 0x80 {
        // Bytes that continue a character do not count.
        position.column += 1
      }
    }
    offset += count
  }

  private mutating func skipSpace() {
    while let byte = peek() {
      if byte == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "/") {
        while let next = peek(), next != UInt8(ascii: "\n") { advance() }
      } else if byte == UInt8(ascii: " ") || (byte >= 9 && byte <= 13) {
        advance()
      } else {
        return
      }
    }
  }

  private mutating func next() throws(Mistake) -> Token {
    skipSpace()
    let (start, first) = (position, startsLine)
    startsLine = false
    return Token(kind: try kind(at: start), position: start, startsLine: first)
  }

  private mutating func kind(at start: Position) throws(Mistake) -> Token.Kind {
    guard let byte = peek() else { return .end }
    if Lexer.isLetter(byte) { return try word(at: start) }
    if Lexer.isDigit(byte) { return try number(at: start) }
    if byte == UInt8(ascii: "\"") { return .text(try string(at: start)) }
    for length in [2, 1] where offset + length <= bytes.count {
      if let symbol = Token.Symbol(rawValue: String(decoding: bytes[offset..<offset + length], as: UTF8.self)) {
        advance(length)
        return .symbol(symbol)
      }
    }
    throw unexpectedCharacter(at: start)
  }

  private func unexpectedCharacter(at start: Position) -> Mistake {
    let rest = String(decoding: bytes[offset..<min(offset + 4, bytes.count)], as: UTF8.self)
    guard let scalar = rest.unicodeScalars.first else { return Mistake("unexpected character", at: start) }
    let code = String(scalar.value, radix: 16, uppercase: true)
    let name = SourceText.isControl(scalar) ? "U+\(code)" : "'\(scalar)'"
    let hint = scalar == ";" ? ": statements end with their line" : scalar == "#" ? ": comments start with //" : ""
    return Mistake("unexpected character \(name)\(hint)", at: start)
  }

  // MARK: Words and numbers

  static func isLetter(_ byte: UInt8) -> Bool {
    (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")) || byte == UInt8(ascii: "_")
  }

  static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }

  /// The characters from here on that belong to a name or a number.
  private mutating func run(where belongs: (UInt8) -> Bool) -> String {
    let start = offset
    while let byte = peek(), belongs(byte) { advance() }
    return String(decoding: bytes[start..<offset], as: UTF8.self)
  }

  private mutating func word(at start: Position) throws(Mistake) -> Token.Kind {
    var word = run { Lexer.isLetter($0) || Lexer.isDigit($0) }
    // Nothing else has a point between two digits after a letter: words such as bior2.2.
    if let last = word.utf8.last, Lexer.isDigit(last), peek() == UInt8(ascii: "."), let digit = peek(1), Lexer.isDigit(digit) {
      advance()
      word += "." + run { Lexer.isLetter($0) || Lexer.isDigit($0) }
    }
    guard word.utf8.count <= Lexer.longestName else {
      throw Mistake("a name has at most \(Lexer.longestName) letters", at: start)
    }
    return Token.Keyword(rawValue: word).map { .keyword($0) } ?? .identifier(word)
  }

  private mutating func number(at start: Position) throws(Mistake) -> Token.Kind {
    var text = run { Lexer.isDigit($0) || $0 == UInt8(ascii: "_") }
    var isInteger = true
    if peek() == UInt8(ascii: "."), let digit = peek(1), Lexer.isDigit(digit) {
      advance()
      text += "." + run { Lexer.isDigit($0) || $0 == UInt8(ascii: "_") }
      isInteger = false
    }
    if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
      let signed = peek(1) == UInt8(ascii: "+") || peek(1) == UInt8(ascii: "-")
      guard let digit = peek(signed ? 2 : 1), Lexer.isDigit(digit) else {
        throw Mistake("the exponent of a number needs digits", at: start)
      }
      text += String(decoding: bytes[offset..<offset + (signed ? 2 : 1)], as: UTF8.self)
      advance(signed ? 2 : 1)
      text += run(where: Lexer.isDigit)
      isInteger = false
    }
    if let byte = peek(), Lexer.isLetter(byte) {
      throw Mistake("a name cannot start with a digit, and a number cannot end with a letter", at: start)
    }
    return try value(of: text.filter { $0 != "_" }, isInteger: isInteger, at: start)
  }

  private func value(of digits: String, isInteger: Bool, at start: Position) throws(Mistake) -> Token.Kind {
    if isInteger {
      guard let value = Int(digits) else {
        throw Mistake("the integer is too large: integers have 64 bits", at: start)
      }
      return .integer(value)
    }
    guard let value = Double(digits), value.isFinite else {
      throw Mistake("the number is too large", at: start)
    }
    return .number(value)
  }

  // MARK: Strings

  private mutating func string(at start: Position) throws(Mistake) -> String {
    advance()
    var content: [UInt8] = []
    while let byte = peek(), byte != UInt8(ascii: "\n") {
      if content.count > Lexer.longestString {
        throw Mistake("a string has at most \(Lexer.longestString) bytes", at: start)
      }
      let start = position
      advance()
      if byte == UInt8(ascii: "\"") { return String(decoding: content, as: UTF8.self) }
      if byte == UInt8(ascii: "\\") {
        content += Array(String(try escaped(at: start)).utf8)
      } else {
        content.append(byte)
      }
    }
    throw Mistake("the string does not end on its line: a '\"' is missing", at: start)
  }

  /// The character that the escape sequence after a backslash stands for.
  private mutating func escaped(at start: Position) throws(Mistake) -> Unicode.Scalar {
    let letter = peek()
    advance()
    switch letter {
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "u") where peek() == UInt8(ascii: "{"): return try numberedCharacter(at: start)
    default:
      throw Mistake("unknown escape sequence: there are \\n, \\t, \\\", \\\\ and \\u{…}", at: start)
    }
  }

  /// The character whose number stands between the braces that follow.
  private mutating func numberedCharacter(at start: Position) throws(Mistake) -> Unicode.Scalar {
    var number: UInt32 = 0
    advance()
    while let byte = peek(), byte != UInt8(ascii: "}") {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, number <= 0x10FFFF else { break }
      number = number * 16 + UInt32(digit)
      advance()
    }
    guard peek() == UInt8(ascii: "}"), let scalar = Unicode.Scalar(number) else {
      throw Mistake("'\\u{…}' needs the number of a Unicode character in hexadecimal digits", at: start)
    }
    advance()
    return scalar
  }
}
