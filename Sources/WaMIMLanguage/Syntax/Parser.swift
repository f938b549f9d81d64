import WaMIMGraph

/// Turns tokens into statements and expressions, by recursive descent.
struct Parser {
  /// How deep expressions, blocks and parentheses may nest.
  static let deepestNesting = 100
  /// After so many mistakes the rest of a text is not worth reading.
  static let mostMistakes = 10

  private let tokens: [Token]
  private var index = 0
  /// How many constructs are being parsed inside each other.
  private var nesting = 0
  /// Whether a line break ends an expression: not between parentheses or brackets.
  private var linesEnd = true

  init(_ tokens: [Token]) {
    self.tokens = tokens
  }

  // MARK: Tokens

  /// The token to be read next.
  var token: Token { tokens[index] }

  /// The kind of the token after the next one.
  var following: Token.Kind { tokens[min(index + 1, tokens.count - 1)].kind }

  mutating func advance() {
    // The last token is the end, which is never passed.
    index = min(index + 1, tokens.count - 1)
  }

  /// Whether the next token continues the expression before it.
  private var continues: Bool { !linesEnd || !token.startsLine }

  mutating func accept(_ symbol: Token.Symbol) -> Bool {
    guard token.kind == .symbol(symbol) else { return false }
    advance()
    return true
  }

  mutating func expect(_ symbol: Token.Symbol, _ purpose: String) throws(Mistake) {
    guard accept(symbol) else { throw expected("'\(symbol.rawValue)' \(purpose)") }
  }

  mutating func accept(_ keyword: Token.Keyword) -> Bool {
    guard token.kind == .keyword(keyword) else { return false }
    advance()
    return true
  }

  mutating func name(_ purpose: String) throws(Mistake) -> String {
    if case .keyword(let keyword) = token.kind {
      throw Mistake("'\(keyword.rawValue)' is a word of the language and cannot be \(purpose)", at: token.position)
    }
    guard case .identifier(let name) = token.kind else { throw expected(purpose) }
    guard !name.utf8.contains(UInt8(ascii: ".")) else {
      throw Mistake("'\(name)' cannot be \(purpose): names have no points in them", at: token.position)
    }
    advance()
    return name
  }

  mutating func text(_ purpose: String) throws(Mistake) -> String {
    guard case .text(let text) = token.kind else { throw expected("\(purpose) in quotes") }
    advance()
    return text
  }

  func expected(_ what: String) -> Mistake {
    Mistake("expected \(what), but found \(token.description)", at: token.position)
  }

  /// Parses what `body` does one level deeper, so that no text can exhaust the stack.
  mutating func nested<Result>(_ body: (inout Parser) throws(Mistake) -> Result) throws(Mistake) -> Result {
    guard nesting < Parser.deepestNesting else {
      throw Mistake("this nests deeper than \(Parser.deepestNesting) levels", at: token.position)
    }
    nesting += 1
    defer { nesting -= 1 }
    return try body(&self)
  }

  /// Parses what `body` does with line breaks ending expressions, or not.
  private mutating func withLines<Result>(
    ending: Bool, _ body: (inout Parser) throws(Mistake) -> Result
  ) throws(Mistake) -> Result {
    let outer = linesEnd
    linesEnd = ending
    defer { linesEnd = outer }
    return try body(&self)
  }

  /// Goes on at the next line that starts a statement of the top level.
  mutating func skipToStatement() {
    nesting = 0
    linesEnd = true
    repeat { advance() } while token.kind != .end && !(token.startsLine && token.position.column == 1 && startsStatement)
  }

  /// A whole text that is one expression.
  static func expression(_ tokens: [Token]) throws(Mistake) -> Expression {
    var parser = Parser(tokens)
    let expression = try parser.expression()
    guard parser.token.kind == .end else { throw parser.expected("the end of the expression") }
    return expression
  }
}

// MARK: Operators

extension Parser {
  mutating func expression() throws(Mistake) -> Expression {
    try nested { parser throws(Mistake) in try parser.disjunction() }
  }

  private mutating func disjunction() throws(Mistake) -> Expression {
    let first = try conjunction()
    var operands = [first]
    while continues, accept(.or) { operands.append(try conjunction()) }
    return operands.count == 1 ? first : Expression(kind: .logical(operands, isOr: true), position: first.position)
  }

  private mutating func conjunction() throws(Mistake) -> Expression {
    let first = try comparison()
    var operands = [first]
    while continues, accept(.and) { operands.append(try comparison()) }
    return operands.count == 1 ? first : Expression(kind: .logical(operands, isOr: false), position: first.position)
  }

  private mutating func comparison() throws(Mistake) -> Expression {
    let left = try range()
    guard continues, case .symbol(let symbol) = token.kind, let comparison = Comparison(rawValue: symbol.rawValue) else {
      return left
    }
    let position = token.position
    advance()
    let right = try range()
    if continues, case .symbol(let next) = token.kind, Comparison(rawValue: next.rawValue) != nil {
      throw Mistake("comparisons cannot be chained: join them with '&&'", at: token.position)
    }
    return Expression(kind: .comparison(comparison, left, right), position: position)
  }

  private mutating func range() throws(Mistake) -> Expression {
    let lower = try sum()
    let position = token.position
    guard continues, accept(.range) else { return lower }
    return Expression(kind: .range(lower, try sum()), position: position)
  }

  private mutating func sum() throws(Mistake) -> Expression {
    try operators([.plus, .minus]) { parser throws(Mistake) in try parser.product() }
  }

  private mutating func product() throws(Mistake) -> Expression {
    try operators([.times, .divide, .remainder]) { parser throws(Mistake) in try parser.prefixed() }
  }

  private mutating func operators(
    _ symbols: [Token.Symbol], _ operand: (inout Parser) throws(Mistake) -> Expression
  ) throws(Mistake) -> Expression {
    let first = try operand(&self)
    var terms: [ArithmeticTerm] = []
    while continues, case .symbol(let symbol) = token.kind, symbols.contains(symbol),
      let sign = Arithmetic(rawValue: symbol.rawValue)
    {
      let position = token.position
      advance()
      terms.append(ArithmeticTerm(sign: sign, operand: try operand(&self), position: position))
    }
    return terms.isEmpty ? first : Expression(kind: .arithmetic(first, terms), position: first.position)
  }

  private mutating func prefixed() throws(Mistake) -> Expression {
    let position = token.position
    if accept(.minus) {
      let operand = try nested { parser throws(Mistake) in try parser.prefixed() }
      return Expression(kind: .negate(operand), position: position)
    }
    if accept(.not) {
      let operand = try nested { parser throws(Mistake) in try parser.prefixed() }
      return Expression(kind: .not(operand), position: position)
    }
    return try postfixed()
  }

  private mutating func postfixed() throws(Mistake) -> Expression {
    var expression = try primary()
    var depth = 0
    while continues {
      let position = token.position
      if accept(.leftBracket) {
        let index = try withLines(ending: false) { parser throws(Mistake) in
          let index = try parser.expression()
          try parser.expect(.rightBracket, "after the index")
          return index
        }
        expression = Expression(kind: .index(expression, index), position: position)
      } else if accept(.dot) {
        let start = token.position
        expression = Expression(kind: .member(expression, try name("the name of a member"), start), position: expression.position)
      } else {
        break
      }
      depth += 1
      guard depth <= Parser.deepestNesting else {
        throw Mistake("this nests deeper than \(Parser.deepestNesting) levels", at: position)
      }
    }
    return expression
  }
}

// MARK: Operands

extension Parser {
  private mutating func primary() throws(Mistake) -> Expression {
    let position = token.position
    switch token.kind {
    case .integer(let value): return literal(.integer(value))
    case .number(let value): return literal(.number(value))
    case .text(let value): return literal(.text(value))
    case .keyword(.true): return literal(.flag(true))
    case .keyword(.false): return literal(.flag(false))
    case .identifier(let name):
      advance()
      guard token.kind == .symbol(.leftParenthesis), continues else { return Expression(kind: .name(name), position: position) }
      return Expression(kind: .call(try call(name, at: position)), position: position)
    case .symbol(.leftParenthesis):
      advance()
      return try withLines(ending: false) { parser throws(Mistake) in
        let inner = try parser.expression()
        try parser.expect(.rightParenthesis, "to close the parenthesis")
        return inner
      }
    case .symbol(.leftBracket):
      advance()
      return Expression(kind: .list(try elements()), position: position)
    case .keyword(.for):
      advance()
      return try loop(at: position)
    case .keyword(.if):
      advance()
      return try conditional(at: position)
    default: throw expected("an expression")
    }
  }

  private mutating func literal(_ kind: Expression.Kind) -> Expression {
    defer { advance() }
    return Expression(kind: kind, position: token.position)
  }

  /// The elements of a list, after its left bracket.
  mutating func elements() throws(Mistake) -> [Expression] {
    try withLines(ending: false) { parser throws(Mistake) in
      var elements: [Expression] = []
      while !parser.accept(.rightBracket) {
        elements.append(try parser.expression())
        if parser.token.kind != .symbol(.rightBracket) { try parser.expect(.comma, "or ']' after an element of a list") }
      }
      return elements
    }
  }

  private mutating func call(_ name: String, at position: Position) throws(Mistake) -> Call {
    advance()
    return try withLines(ending: false) { parser throws(Mistake) in
      var arguments: [Call.Argument] = []
      while !parser.accept(.rightParenthesis) {
        arguments.append(try parser.argument())
        if parser.token.kind != .symbol(.rightParenthesis) { try parser.expect(.comma, "or ')' after an argument") }
      }
      return Call(name: name, arguments: arguments, position: position)
    }
  }

  private mutating func argument() throws(Mistake) -> Call.Argument {
    let position = token.position
    if case .identifier(let label) = token.kind, following == .symbol(.colon) {
      advance()
      advance()
      return Call.Argument(label: label, value: try expression(), position: position)
    }
    return Call.Argument(label: nil, value: try expression(), position: position)
  }

  private mutating func loop(at position: Position) throws(Mistake) -> Expression {
    let variable = try name("the name of a loop's variable")
    guard accept(.in) else { throw expected("'in' after the loop's variable") }
    let elements = try expression()
    return Expression(kind: .loop(variable: variable, elements, try block("a loop")), position: position)
  }

  private mutating func conditional(at position: Position) throws(Mistake) -> Expression {
    let condition = try expression()
    let then = try block("a condition")
    guard accept(.else) else { throw expected("'else': an 'if' is an expression and has to have a value either way") }
    let start = token.position
    if accept(.if) {
      let otherwise = try nested { parser throws(Mistake) in try parser.conditional(at: start) }
      return Expression(
        kind: .conditional(condition, then: then, otherwise: Block(lets: [], result: otherwise)), position: position)
    }
    return Expression(kind: .conditional(condition, then: then, otherwise: try block("'else'")), position: position)
  }

  /// Declarations and a result between braces.
  mutating func block(_ owner: String) throws(Mistake) -> Block {
    try expect(.leftBrace, "to start the body of \(owner)")
    return try nested { parser throws(Mistake) in
      try parser.withLines(ending: true) { parser throws(Mistake) in try parser.body(of: owner) }
    }
  }

  private mutating func body(of owner: String) throws(Mistake) -> Block {
    var lets: [Let] = []
    while token.kind == .keyword(.let) { lets.append(try binding()) }
    if token.kind == .symbol(.rightBrace) {
      throw Mistake("the body of \(owner) has to end with an expression, which is its value", at: token.position)
    }
    let result = try expression()
    guard accept(.rightBrace) else {
      if token.startsLine, token.kind != .end {
        throw Mistake(
          "only the last line of the body of \(owner) is an expression: give the others a name with 'let'", at: result.position)
      }
      throw expected("'}' after the value of \(owner)")
    }
    return Block(lets: lets, result: result)
  }
}
