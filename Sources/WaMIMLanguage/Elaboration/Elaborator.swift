import WaMIMGraph
import WaMIMTraining

/// Expands statements into a graph, by evaluating expressions.
struct Elaborator {
  let builder: GraphBuilder
  let sources: [SourceText]
  var budget: Budget
  var functions: [String: Function] = [:]
  /// Values of the top level.
  var globals: [String: Binding] = [:]
  /// Where values of the top level are declared that have not been reached yet.
  var later: [String: Position] = [:]
  /// What the `train` block has said so far.
  var recipe = Recipe()
  /// What a `pictures` statement says, or nil where there is none.
  var pictures: Pictures??
  /// Where the blocks of settings stand that have been expanded.
  var settingsPositions: [Setting.Block: Position] = [:]
  /// What the command line puts instead of values of the top level.
  var replacements: [String: Expression] = [:]
  /// Names of the enclosing blocks, innermost last.
  private var frames: [[String: Binding]] = []
  /// The first of the frames that belong to the function being called.
  private var base = 0
  private var depth = 0
  private(set) var callDepth = 0

  /// A value and where it got its name.
  struct Binding {
    var value: Value
    var position: Position
  }

  init(_ name: String, isTraining: Bool, sources: [SourceText], tokens: Int) {
    builder = GraphBuilder(name: name)
    builder.isTraining = isTraining
    self.sources = sources
    budget = Budget(tokens: tokens)
  }

  // MARK: Mistakes

  /// Runs `body`, whose operations and mistakes stand at `position`.
  func located<Result>(_ position: Position, _ body: () throws -> Result) throws -> Result {
    builder.location = sources.location(position)
    let result: Result
    do {
      result = try body()
    } catch let error as GraphError {
      throw mistake(error, at: position)
    }
    try checkBuilder(at: position)
    return result
  }

  /// Throws the first mistake that the builder remembers, if any.
  func checkBuilder(at position: Position) throws {
    if let error = builder.error { throw mistake(error, at: position) }
  }

  /// `error` as a mistake at its own position or else at `position`.
  func mistake(_ error: GraphError, at position: Position?) -> Mistake {
    let notes = error.notes.compactMap { note in
      self.position(note.location).map { Mistake.Note(message: note.message, position: $0) }
    }
    return Mistake(error.message, at: self.position(error.location) ?? position, notes: notes)
  }

  private func position(_ location: SourceLocation?) -> Position? {
    guard let location, let source = sources.firstIndex(where: { $0.name == location.file }) else { return nil }
    return Position(source: Int32(source), line: Int32(location.line), column: Int32(location.column))
  }

  // MARK: Names

  /// What `name` stands for here, or nil.
  func lookup(_ name: String) -> Value? {
    for index in frames.indices[base...].reversed() {
      if let binding = frames[index][name] { return binding.value }
    }
    return globals[name]?.value
  }

  /// What `name` stands for in the innermost block alone, or nil.
  func lookupParameter(_ name: String) -> Value? {
    frames.last?[name]?.value
  }

  /// Every name that stands for something here.
  var visibleNames: [String] {
    frames[base...].flatMap(\.keys) + globals.keys
  }

  /// Makes `value` known under `name` in the innermost block.
  mutating func declare(_ name: String, _ value: Value, at position: Position) throws {
    let earlier = frames.isEmpty ? globals[name] : frames[frames.count - 1][name]
    if let earlier {
      throw Mistake(
        "'\(name)' is declared twice", at: position,
        notes: [.init(message: "it is first declared here", position: earlier.position)])
    }
    if frames.isEmpty {
      globals[name] = Binding(value: value, position: position)
      later[name] = nil
    } else {
      frames[frames.count - 1][name] = Binding(value: value, position: position)
    }
  }

  /// Evaluates `let` and remembers its value.
  mutating func bind(_ binding: Let) throws {
    let first = builder.graph.nodes.count
    var value = try evaluate(binding.value)
    if frames.isEmpty, let replacement = replacements[binding.name] {
      value = try replaced(value, of: binding.name, by: replacement)
    }
    if let type = binding.type { try check(value, of: binding.name, against: type) }
    if let membership = binding.membership {
      builder.assign(operationsFrom: first, to: membership.region, in: membership.scope)
    }
    try declare(binding.name, value, at: binding.position)
  }

  private mutating func check(_ value: Value, of name: String, against type: TypeExpression) throws {
    let declared = try evaluate(type)
    guard case .tensor(let tensor) = value else {
      throw Mistake("'\(name)' is declared \(declared), but is \(value.description)", at: type.position)
    }
    guard tensor.type == declared else {
      throw Mistake("'\(name)' is declared \(declared), but is \(tensor.type)", at: type.position)
    }
  }

  // MARK: Blocks

  /// The value of `block` with `variables` known in it.
  mutating func evaluate(_ block: Block, with variables: [String: Binding] = [:]) throws -> Value {
    frames.append(variables)
    defer { frames.removeLast() }
    for binding in block.lets { try bind(binding) }
    return try evaluate(block.result)
  }

  /// Runs `body` in a function that sees `parameters` and the top level only.
  mutating func inFunction(_ parameters: [String: Binding], _ body: (inout Elaborator) throws -> Value) throws -> Value {
    let outer = base
    base = frames.count
    callDepth += 1
    frames.append(parameters)
    defer {
      frames.removeLast()
      callDepth -= 1
      base = outer
    }
    return try body(&self)
  }

  /// Runs `body` one level deeper, so that no text can exhaust the stack.
  mutating func deeper(at position: Position, _ body: (inout Elaborator) throws -> Value) throws -> Value {
    guard depth < Budget.deepestEvaluation else {
      throw Mistake("the model nests too deep: does a recursion run away?", at: position)
    }
    depth += 1
    defer { depth -= 1 }
    try budget.charge(at: position)
    return try body(&self)
  }
}
