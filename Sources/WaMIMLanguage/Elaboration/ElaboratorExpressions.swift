import WaMIMGraph
import WaMIMTypes

extension Elaborator {
  /// The value of `expression`.
  mutating func evaluate(_ expression: Expression) throws -> Value {
    switch expression.kind {
    case .integer(let value): return .integer(value)
    case .number(let value): return .number(value)
    case .flag(let value): return .flag(value)
    case .text(let value): return .text(value)
    case .name(let name): return try value(of: name, at: expression.position)
    default: return try deeper(at: expression.position) { try $0.evaluateCompound(expression) }
    }
  }

  private mutating func evaluateCompound(_ expression: Expression) throws -> Value {
    let position = expression.position
    switch expression.kind {
    case .list(let elements): return try list(elements, at: position)
    case .negate(let operand):
      let value = try evaluate(operand)
      return try located(position) { try Calculation.negate(value) }
    case .not(let operand): return .flag(!(try flag(operand, "'!'")))
    case .arithmetic(let first, let terms): return try arithmetic(first, terms)
    case .logical(let operands, let isOr): return try logical(operands, isOr: isOr)
    case .comparison(let comparison, let left, let right):
      let (left, right) = (try evaluate(left), try evaluate(right))
      return try located(position) { .flag(try Calculation.compare(left, comparison, right)) }
    case .range(let lower, let upper): return try range(lower, upper, at: position)
    case .index(let list, let index): return try element(list, index, at: position)
    case .member(let value, let name, let position): return try member(of: value, name, at: position)
    case .call(let call): return try evaluate(call)
    case .loop(let variable, let elements, let body): return try loop(variable, elements, body, at: position)
    case .conditional(let condition, let then, let otherwise):
      return try evaluate(try flag(condition, "'if'") ? then : otherwise)
    case .integer, .number, .flag, .text, .name: return try evaluate(expression)
    }
  }

  // MARK: Names

  private mutating func value(of name: String, at position: Position) throws -> Value {
    try budget.charge(at: position)
    if let value = lookup(name) { return value }
    if BuiltIn.words.contains(name) { return .symbol(name) }
    switch name {
    case "infinity": return .number(.infinity)
    case "nan": return .number(.nan)
    case "training": return .flag(builder.isTraining)
    default: throw unknown(name, at: position)
    }
  }

  /// What to say about a name that stands for nothing.
  private func unknown(_ name: String, at position: Position) -> Mistake {
    if let declaration = later[name] {
      return Mistake(
        "'\(name)' is used before it is declared", at: position,
        notes: [.init(message: "it is declared here", position: declaration)])
    }
    if functions[name] != nil || BuiltIn.byName[name] != nil {
      return Mistake("'\(name)' is a function: call it, as in \(name)(…)", at: position)
    }
    let candidates = visibleNames + later.keys + BuiltIn.words
    return Mistake("there is no value '\(name)'\(Spelling.suggestion(for: name, among: candidates))", at: position)
  }

  // MARK: Operators

  private mutating func arithmetic(_ first: Expression, _ terms: [ArithmeticTerm]) throws -> Value {
    var result = try evaluate(first)
    for term in terms {
      let operand = try evaluate(term.operand)
      let builder = builder
      result = try located(term.position) { try Calculation.combine(result, term.sign, operand, in: builder) }
      if case .text(let text) = result { try budget.charge(text.utf8.count / 16, at: term.position) }
    }
    return result
  }

  /// The boolean that `expression` is, as `owner` needs it.
  mutating func flag(_ expression: Expression, _ owner: String) throws -> Bool {
    let value = try evaluate(expression)
    guard case .flag(let flag) = value else {
      throw Mistake("\(owner) takes a boolean, not \(value.description)", at: expression.position)
    }
    return flag
  }

  private mutating func logical(_ operands: [Expression], isOr: Bool) throws -> Value {
    for operand in operands where try flag(operand, isOr ? "'||'" : "'&&'") == isOr { return .flag(isOr) }
    return .flag(!isOr)
  }

  private mutating func range(_ lower: Expression, _ upper: Expression, at position: Position) throws -> Value {
    let (first, last) = (try evaluate(lower), try evaluate(upper))
    if case .integer(let first) = first, case .integer(let last) = last {
      let (count, overflow) = last.subtractingReportingOverflow(first)
      guard !overflow, count >= -1, count < Int.max else {
        throw Mistake("the range \(first)..\(last) runs backwards: the first number has to be the smaller one", at: position)
      }
      return .range(first, last)
    }
    guard let first = first.asNumber, let last = last.asNumber else {
      throw Mistake("a range takes two numbers, not \(first.description) and \(last.description)", at: position)
    }
    return .interval(first, last)
  }

  // MARK: Lists and members

  private mutating func list(_ elements: [Expression], at position: Position) throws -> Value {
    try budget.chargeList(elements.count, at: position)
    var values: [Value] = []
    values.reserveCapacity(elements.count)
    for element in elements { values.append(try evaluate(element)) }
    return .list(values)
  }

  private mutating func element(_ list: Expression, _ index: Expression, at position: Position) throws -> Value {
    let value = try evaluate(list)
    let number = try evaluate(index)
    guard let count = value.elementCount else {
      throw Mistake("only lists have elements, but this is \(value.description)", at: position)
    }
    guard case .integer(let integer) = number else {
      throw Mistake("an index has to be an integer, not \(number.description)", at: index.position)
    }
    guard let element = value.element(integer < 0 ? integer + count : integer) else {
      let range = count == 0 ? "the list is empty" : "the indices of this list run from 0 to \(count - 1)"
      throw Mistake("there is no element \(integer): \(range)", at: index.position)
    }
    return element
  }

  private mutating func member(of expression: Expression, _ name: String, at position: Position) throws -> Value {
    let value = try evaluate(expression)
    let members = Member.all.filter { $0.value(value) != nil }
    let today = Member.formerNames[name] ?? name
    guard let member = members.first(where: { $0.name == today }), let result = member.value(value) else {
      let names = members.map(\.name)
      let known = names.isEmpty ? "has no members" : "has \(names.joined(separator: ", "))"
      throw Mistake(
        "\(value.description) \(known), not '\(name)'" + Spelling.suggestion(for: name, among: names), at: position)
    }
    return result
  }

  private mutating func loop(_ variable: String, _ elements: Expression, _ body: Block, at position: Position) throws -> Value {
    let list = try evaluate(elements)
    guard let count = list.elementCount else {
      throw Mistake("a loop goes over a list or a range of integers, not \(list.description)", at: elements.position)
    }
    try budget.chargeList(count, at: elements.position)
    var results: [Value] = []
    results.reserveCapacity(count)
    for index in 0..<count {
      guard let element = list.element(index) else { continue }
      results.append(try evaluate(body, with: [variable: Binding(value: element, position: position)]))
    }
    return .list(results)
  }

  /// The type that `type` writes.
  mutating func evaluate(_ type: TypeExpression) throws -> TensorType {
    var extents: [Int] = []
    for extent in type.extents {
      let value = try evaluate(extent)
      guard case .integer(let integer) = value else {
        throw Mistake("the extent of an axis has to be an integer, not \(value.description)", at: extent.position)
      }
      extents.append(integer)
    }
    return TensorType(type.element, Shape(extents))
  }
}
