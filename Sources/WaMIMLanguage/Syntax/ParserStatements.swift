import WaMIMGraph
import WaMIMRecipe
import WaMIMTypes

extension Parser {
  /// The words that start statements, besides `let` and `func`.
  private static let starters =
    ["model", "input", "loss", "minimize", "output", "features", "update", "require", "pictures", "evaluation"]
    + Setting.Block.allCases.map(\.rawValue)

  /// Whether the next token starts a statement.
  var startsStatement: Bool {
    switch token.kind {
    case .keyword(.let), .keyword(.func): true
    case .identifier(let name): Parser.starters.contains(name)
    default: false
    }
  }

  /// The statements of a whole text, and the mistakes in it.
  static func program(_ tokens: [Token]) -> (statements: [Statement], mistakes: [Mistake]) {
    var parser = Parser(tokens)
    var statements: [Statement] = []
    var mistakes: [Mistake] = []
    while parser.token.kind != .end, mistakes.count < mostMistakes {
      do throws(Mistake) {
        statements.append(try parser.statement())
      } catch {
        mistakes.append(error)
        parser.skipToStatement()
      }
    }
    return (statements, mistakes)
  }

  private mutating func statement() throws(Mistake) -> Statement {
    guard token.startsLine else { throw expected("a new line before the next statement") }
    let position = token.position
    switch token.kind {
    case .keyword(.let): return .binding(try binding())
    case .keyword(.func):
      advance()
      return .function(try function())
    case .identifier(let word) where Parser.starters.contains(word):
      advance()
      return try statement(word, at: position)
    case .identifier(let word):
      let suggestion = Spelling.suggestion(for: word, among: Parser.starters + ["let", "func"])
      throw Mistake("expected a statement, but found '\(word)'\(suggestion)", at: position)
    default: throw expected("a statement, such as 'let'")
    }
  }

  private mutating func statement(_ word: String, at position: Position) throws(Mistake) -> Statement {
    switch word {
    case "model":
      if case .text = token.kind { return .model(try text("the model's name"), position) }
      return .model(try name("the model's name"), position)
    case "input":
      let name = try name("the input's name")
      try expect(.colon, "and the input's type, such as f32[32, 3, 224, 224]")
      return .input(name: name, try type(), position)
    case "loss": return .loss(try expression(), position)
    case "minimize": return .minimize(try expression(), position)
    case "output":
      let name = try text("the output's name")
      try expect(.assign, "and the output's value")
      return .output(name: name, try expression(), position)
    case "update":
      let state = try expression()
      try expect(.assign, "and the value that the state takes")
      return .update(state, try expression(), position)
    case "require":
      let condition = try expression()
      try expect(.comma, "and what to say where the condition does not hold")
      return .require(condition, try text("a message"), position)
    case "features": return .features(try expression(), position)
    case "evaluation": return .evaluation(position)
    case "pictures": return .pictures(try expression(), position)
    default:
      guard let block = Setting.Block(rawValue: word) else { throw expected("a statement, such as 'let'") }
      return .settings(block, try clauses(), position)
    }
  }

  /// `let NAME: TYPE = VALUE in REGION "SCOPE"`, of which type, region and scope may be absent.
  mutating func binding() throws(Mistake) -> Let {
    advance()
    let position = token.position
    let name = try name("the name of a value")
    let type = accept(.colon) ? try type() : nil
    try expect(.assign, "and a value after the name")
    let value = try expression()
    let membership = accept(.in) ? try membership() : nil
    if !token.startsLine, token.kind != .end, token.kind != .symbol(.rightBrace) {
      throw expected("the end of the line after the value of '\(name)'")
    }
    return Let(name: name, type: type, value: value, membership: membership, position: position)
  }

  /// The region of a step, the layer, or both.
  private mutating func membership() throws(Mistake) -> Let.Membership {
    guard case .identifier(let word) = token.kind else { return Let.Membership(scope: try text("the path of a layer")) }
    guard let region = Region(rawValue: word) else {
      let names = Region.allCases.map(\.rawValue)
      throw Mistake(
        "'\(word)' is no region of a step: there are \(names.joined(separator: ", "))"
          + Spelling.suggestion(for: word, among: names), at: token.position)
    }
    advance()
    guard case .text = token.kind, !token.startsLine else { return Let.Membership(region: region) }
    return Let.Membership(region: region, scope: try text("the path of a layer"))
  }

  private mutating func type() throws(Mistake) -> TypeExpression {
    let position = token.position
    let name = try name("a type, such as f32[32, 3, 224, 224]")
    guard let element = ElementType(rawValue: name) else {
      let names = ElementType.allCases.map(\.rawValue)
      throw Mistake(
        "'\(name)' is no type of elements: there are \(names.joined(separator: " and "))"
          + Spelling.suggestion(for: name, among: names), at: position)
    }
    let extents = accept(.leftBracket) ? try elements() : []
    return TypeExpression(element: element, extents: extents, position: position)
  }

  // MARK: Functions

  private mutating func function() throws(Mistake) -> Function {
    let position = token.position
    let name = try name("the name of a function")
    try expect(.leftParenthesis, "and the parameters of '\(name)'")
    var parameters: [Function.Parameter] = []
    while !accept(.rightParenthesis) {
      parameters.append(try parameter())
      if token.kind != .symbol(.rightParenthesis) { try expect(.comma, "or ')' after a parameter") }
    }
    return Function(name: name, parameters: parameters, body: try block("a function"), position: position)
  }

  private mutating func parameter() throws(Mistake) -> Function.Parameter {
    let position = token.position
    let name = try name("the name of a parameter")
    var kind = ParameterKind.any
    if accept(.colon) {
      let start = token.position
      let word = try self.name("a kind of value, such as int")
      guard let known = ParameterKind.named[word] else {
        let names = ParameterKind.named.keys.sorted()
        throw Mistake(
          "'\(word)' is no kind of value: there are \(names.joined(separator: ", "))"
            + Spelling.suggestion(for: word, among: names), at: start)
      }
      kind = known
    }
    let fallback = accept(.assign) ? try expression() : nil
    return Function.Parameter(name: name, kind: kind, fallback: fallback, position: position)
  }

  // MARK: Settings

  private mutating func clauses() throws(Mistake) -> [Clause] {
    try expect(.leftBrace, "to start the settings")
    var clauses: [Clause] = []
    while !accept(.rightBrace) {
      let position = token.position
      let label = try name("a setting")
      try expect(.colon, "after the name of a setting")
      clauses.append(Clause(label: label, value: try expression(), position: position))
      if token.kind != .symbol(.rightBrace), !token.startsLine {
        throw expected("the end of the line after the setting '\(label)'")
      }
    }
    return clauses
  }
}
