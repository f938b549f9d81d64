/// The smallest piece of a source text.
struct Token: Hashable, Sendable {
  var kind: Kind
  var position: Position
  /// Whether nothing but space stands before it on its line.
  var startsLine: Bool

  enum Kind: Hashable, Sendable {
    case identifier(String)
    case integer(Int)
    case number(Double)
    case text(String)
    /// A word with a fixed meaning.
    case keyword(Keyword)
    case symbol(Symbol)
    case end
  }

  /// Words that cannot be names of values.
  enum Keyword: String, Hashable, Sendable, CaseIterable {
    case `let`, `func`, `for`, `in`, `if`, `else`, `true`, `false`
  }

  enum Symbol: String, Hashable, Sendable, CaseIterable {
    case leftParenthesis = "("
    case rightParenthesis = ")"
    case leftBracket = "["
    case rightBracket = "]"
    case leftBrace = "{"
    case rightBrace = "}"
    case comma = ","
    case colon = ":"
    case range = ".."
    case dot = "."
    case equal = "=="
    case notEqual = "!="
    case atMost = "<="
    case atLeast = ">="
    case less = "<"
    case greater = ">"
    case assign = "="
    case plus = "+"
    case minus = "-"
    case times = "*"
    case divide = "/"
    case remainder = "%"
    case and = "&&"
    case or = "||"
    case not = "!"
  }

  /// How messages name the token.
  var description: String {
    switch kind {
    case .identifier(let name): "'\(name)'"
    case .integer, .number: "a number"
    case .text: "a string"
    case .keyword(let keyword): "'\(keyword.rawValue)'"
    case .symbol(let symbol): "'\(symbol.rawValue)'"
    case .end: "the end of the file"
    }
  }
}
