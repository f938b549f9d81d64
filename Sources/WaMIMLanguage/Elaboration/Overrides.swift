import WaMIMGraph
import WaMIMTypes

extension Elaborator {
  /// The value of `replacement`, of the kind of `value`, which it replaces as the value of `name`.
  mutating func replaced(_ value: Value, of name: String, by replacement: Expression) throws -> Value {
    guard value.isSettable else {
      throw Mistake("'\(name)' is \(value.kindDescription) of the model and cannot be set", at: replacement.position)
    }
    if case .symbol(let old) = value { try checkWord(replacement, inPlaceOf: old, of: name) }
    // On a command line a word needs no quotes to be a text.
    if case .text = value, case .name(let word) = replacement.kind, lookup(word) == nil { return .text(word) }
    let new = try evaluate(replacement)
    guard let converted = Elaborator.converted(new, like: value) else {
      throw Mistake(
        "'\(name)' has to be \(Elaborator.wanted(value)), as \(value.description) is, not \(Elaborator.given(new))",
        at: replacement.position)
    }
    return converted
  }

  /// Refuses a name that stands for nothing as the value of `name`, and says which words could stand for `old`.
  private func checkWord(_ replacement: Expression, inPlaceOf old: String, of name: String) throws {
    guard case .name(let word) = replacement.kind, lookup(word) == nil, !BuiltIn.words.contains(word) else { return }
    let words = BuiltIn.alternatives(to: old)
    throw Mistake(
      "'\(name)' has to be \(ParameterKind.symbol(words).description), not '\(word)'"
        + Spelling.suggestion(for: word, among: words), at: replacement.position)
  }

  /// `new` as a value of the kind of `old`, or nil where it is of another kind; integers are numbers, too.
  private static func converted(_ new: Value, like old: Value) -> Value? {
    switch (old, new) {
    case (.integer, .integer), (.flag, .flag), (.text, .text), (.symbol, .symbol), (.range, .range), (.interval, .interval):
      return new
    case (.number, _): return new.asNumber.map(Value.number)
    case (.interval, .range(let lower, let upper)): return .interval(Double(lower), Double(upper))
    case (.list(let elements), _), (.range, .list(let elements)):
      let prototype = if case .range(let lower, _) = old { Value.integer(lower) } else { common(elements) }
      guard let count = new.elementCount, count <= Budget.longestList else { return nil }
      guard let prototype else { return new }
      var values: [Value] = []
      for index in 0..<count {
        guard let value = new.element(index).flatMap({ converted($0, like: prototype) }) else { return nil }
        values.append(value)
      }
      return .list(values)
    default: return nil
    }
  }

  /// An element that stands for the kind of all `elements`, or nil where there is none.
  private static func common(_ elements: [Value]) -> Value? {
    elements.first { if case .number = $0 { true } else { false } } ?? elements.first
  }

  /// What has to be given in place of `old`.
  private static func wanted(_ old: Value) -> String {
    guard case .list(let elements) = old, let element = common(elements) else {
      if case .range = old { return "a list of integers" }
      return old.kindDescription
    }
    switch element {
    case .integer: return "a list of integers"
    case .number: return "a list of numbers"
    default: return "a list"
    }
  }

  /// What `new` is called when it is refused.
  private static func given(_ new: Value) -> String {
    guard case .list(let elements) = new, let element = common(elements) else { return new.description }
    return "a list with \(element.kindDescription) in it"
  }
}

extension [Statement] {
  /// The names of values of the top level that an option of the command line can replace: those made of literals and each other.
  var settableNames: [String] {
    var names: [String] = []
    var known = BuiltIn.words
    for statement in self {
      switch statement {
      case .binding(let binding) where binding.type == nil && binding.value.isLiteral(given: known):
        names.append(binding.name)
        known.insert(binding.name)
      case .binding(let binding): known.remove(binding.name)
      // An input hides the word that is written like it.
      case .input(let name, _, _): known.remove(name)
      default: break
      }
    }
    return names
  }
}

extension Expression {
  /// Whether the expression is made of literals, words and `names` alone.
  fileprivate func isLiteral(given names: Set<String>) -> Bool {
    switch kind {
    case .integer, .number, .flag, .text: true
    case .name(let name): names.contains(name)
    case .list(let elements): elements.allSatisfy { $0.isLiteral(given: names) }
    case .negate(let operand), .not(let operand): operand.isLiteral(given: names)
    case .arithmetic(let first, let terms):
      first.isLiteral(given: names) && terms.allSatisfy { $0.operand.isLiteral(given: names) }
    case .logical(let operands, _): operands.allSatisfy { $0.isLiteral(given: names) }
    case .comparison(_, let left, let right), .range(let left, let right), .index(let left, let right):
      left.isLiteral(given: names) && right.isLiteral(given: names)
    case .call(let call):
      ["len", "floor", "index"].contains(call.name) && call.arguments.allSatisfy { $0.value.isLiteral(given: names) }
    case .member, .loop, .conditional: false
    }
  }
}
