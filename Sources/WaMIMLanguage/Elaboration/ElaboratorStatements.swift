import WaMIMGraph
import WaMIMTraining
import WaMIMTypes

extension Elaborator {
  /// Expands `statements` into a model: once as it is trained, and once as it is evaluated.
  ///
  /// - Throws: `Mistake`, the first one.
  static func model(
    of statements: [Statement], replacing replacements: [String: Expression], sources: [SourceText], tokens: Int
  ) throws -> Model {
    let name = try modelName(statements)
    func expanded(_ statements: [Statement], isTraining: Bool) throws -> Model {
      var elaborator = Elaborator(name, isTraining: isTraining, sources: sources, tokens: tokens)
      elaborator.replacements = replacements
      return try elaborator.model(of: statements)
    }
    let sections = statements.split(maxSplits: 1, omittingEmptySubsequences: false) { $0.isEvaluation }
    guard sections.count > 1 else {
      var model = try expanded(statements, isTraining: true)
      let evaluation = try expanded(statements, isTraining: false)
      if evaluation.graph != model.graph { model.evaluation = evaluation.graph }
      return model
    }
    // A text of its own says what is evaluated; settings are of the model as a whole.
    var model = try expanded(sections[0] + sections[1].filter(\.isSetting), isTraining: true)
    model.evaluation = try expanded(sections[1].filter { !$0.isSetting }, isTraining: false).graph
    return model
  }

  /// Expands `statements`, those of one expansion, into a model.
  private mutating func model(of statements: [Statement]) throws -> Model {
    try collect(statements)
    for statement in statements { try expand(statement) }
    do {
      var model = try Model(finishing: builder, recipe: recipe)
      if let pictures { model.pictures = pictures }
      return model
    } catch let error as GraphError {
      throw mistake(error, at: nil)
    }
  }

  private static func modelName(_ statements: [Statement]) throws -> String {
    var found: (name: String, position: Position)?
    for case .model(let name, let position) in statements {
      if let found {
        throw Mistake(
          "a file describes one model", at: position, notes: [.init(message: "it is named here", position: found.position)])
      }
      found = (name, position)
    }
    guard let found else {
      throw Mistake("the model has no name: start the file with 'model NAME'", at: Position(source: 0, line: 1, column: 1))
    }
    return found.name
  }

  /// Remembers what is declared anywhere in the file.
  private mutating func collect(_ statements: [Statement]) throws {
    for statement in statements {
      switch statement {
      case .function(let function):
        if let earlier = functions[function.name] {
          throw Mistake(
            "the function '\(function.name)' is declared twice", at: function.position,
            notes: [.init(message: "it is first declared here", position: earlier.position)])
        }
        guard BuiltIn.byName[function.name] == nil else {
          throw Mistake("'\(function.name)' is a function of the language: choose another name", at: function.position)
        }
        try checkParameters(of: function)
        functions[function.name] = function
      case .binding(let binding): later[binding.name] = binding.position
      case .input(let name, _, let position): later[name] = position
      default: break
      }
    }
  }

  private func checkParameters(of function: Function) throws {
    var seen: Set<String> = []
    for parameter in function.parameters where !seen.insert(parameter.name).inserted {
      throw Mistake("'\(function.name)' has two parameters '\(parameter.name)'", at: parameter.position)
    }
  }

  private mutating func expand(_ statement: Statement) throws {
    switch statement {
    case .model, .function, .evaluation: break
    case .binding(let binding): try bind(binding)
    case .input(let name, let type, let position): try expandInput(name, type, at: position)
    case .loss(let expression, let position):
      let loss = try tensor(expression, "the loss")
      try located(position) { builder.minimize(loss) }
    case .minimize(let expression, let position):
      let loss = try tensor(expression, "the loss")
      try located(position) { builder.minimizeUnnamed(loss) }
    case .output(let name, let expression, let position):
      let value = try tensor(expression, "an output")
      try located(position) { builder.output(name, value) }
    case .update(let state, let value, let position):
      let (state, value) = (try tensor(state, "a state"), try tensor(value, "the value of a state"))
      try expandUpdate(state, value, at: position)
    case .require(let condition, let message, let position):
      guard try flag(condition, "'require'") else { throw Mistake(message, at: position) }
    case .features(let expression, let position): try expandFeatures(expression, at: position)
    case .settings(let block, let clauses, let position): try expandSettings(clauses, of: block, at: position)
    case .pictures(let expression, let position): try expandPictures(expression, at: position)
    }
  }

  private mutating func tensor(_ expression: Expression, _ owner: String) throws -> Tensor {
    let value = try evaluate(expression)
    guard case .tensor(let tensor) = value else {
      throw Mistake("\(owner) has to be a tensor, not \(value.description)", at: expression.position)
    }
    return tensor
  }

  private mutating func expandInput(_ name: String, _ type: TypeExpression, at position: Position) throws {
    let declared = try evaluate(type)
    let binding: WaMIMGraph.Binding
    switch declared.shape.rank {
    case 4 where declared.element == .float32: binding = .images
    case 2 where declared.element == .float32 && .data(name) == WaMIMGraph.Binding.labels: binding = .labels
    default:
      throw Mistake(
        "images have to be f32[batch, channels, height, width], and 'labels' f32[batch, classes], not \(declared): other inputs are "
          + "made by the function 'input'", at: type.position)
    }
    let tensor = try located(position) { builder.input(name, declared.shape, from: binding) }
    try declare(name, .tensor(tensor), at: position)
  }

  /// Features are what the model gives when it is evaluated, of the parameters that it has.
  private mutating func expandFeatures(_ expression: Expression, at position: Position) throws {
    let builder = builder
    try builder.sharingParameters {
      let features = try tensor(expression, "features")
      guard features.shape.rank == 2 else {
        throw Mistake("features have to be [batch, width], not \(features.type): see 'pooled'", at: expression.position)
      }
      try located(position) { builder.output(Graph.featuresName, features) }
    }
  }

  private mutating func expandUpdate(_ state: Tensor, _ value: Tensor, at position: Position) throws {
    switch builder.graph[state.value].operation {
    case .state, .parameter, .accumulator: try located(position) { builder.update(state, to: value) }
    default: throw Mistake("only parameters and states can be updated", at: position)
    }
  }

  private mutating func expandPictures(_ expression: Expression, at position: Position) throws {
    if case .name("none") = expression.kind {
      pictures = .some(nil)
      return
    }
    guard case .call(let call) = expression.kind, let function = BuiltIn.pictures.first(where: { $0.name == call.name }) else {
      let names = BuiltIn.pictures.map(\.name)
      throw Mistake("pictures are made by \(names.map { "\($0)(…)" }.joined(separator: " or ")), or none", at: expression.position)
    }
    if case .pictures(let pictures) = try evaluate(call, of: function) { self.pictures = pictures }
  }

  // MARK: Settings

  private mutating func expandSettings(_ clauses: [Clause], of block: Setting.Block, at position: Position) throws {
    if let earlier = settingsPositions[block] {
      throw Mistake(
        "there is a '\(block.rawValue)' block already", at: position, notes: [.init(message: "here", position: earlier)])
    }
    settingsPositions[block] = position
    var seen: Set<Setting.Clause> = []
    for clause in clauses {
      let labels = Setting.Clause.all(in: block).map(\.label)
      guard let known = Setting.Clause.all(in: block).first(where: { $0.label == clause.label }) else {
        throw Mistake(
          "'\(block.rawValue)' has no setting '\(clause.label)': there are \(labels.joined(separator: ", "))"
            + Spelling.suggestion(for: clause.label, among: labels), at: clause.position)
      }
      guard seen.insert(known).inserted else { throw Mistake("'\(clause.label)' is set twice", at: clause.position) }
      if known.isList { try applyList(clause, known) } else { try apply(clause.value, of: known) }
    }
  }

  private mutating func applyList(_ clause: Clause, _ known: Setting.Clause) throws {
    guard case .list(let elements) = clause.value.kind else {
      throw Mistake(
        "'\(clause.label)' takes a list, such as [\(Setting.all(in: known).prefix(2).map(\.name).joined(separator: ", "))]",
        at: clause.value.position)
    }
    // What the list does not name is not done.
    for hyperparameter in Setting.all(in: known).flatMap(\.hyperparameters) {
      if let unlisted = hyperparameter.anyUnlisted { recipe[hyperparameter] = unlisted }
    }
    for element in elements { try apply(element, of: known) }
  }

  private mutating func apply(_ expression: Expression, of clause: Setting.Clause) throws {
    let settings = Setting.all(in: clause)
    let names = settings.map(\.name)
    let call: Call
    switch expression.kind {
    case .call(let written): call = written
    case .name(let name):
      call = Call(name: try settingName(name, among: names, expression), arguments: [], position: expression.position)
    default: throw Mistake("expected a setting, such as \(names[0])(…)", at: expression.position)
    }
    guard let setting = settings.first(where: { $0.name == call.name }) else {
      throw Mistake(
        "'\(clause.label)' knows no '\(call.name)': there is \(names.joined(separator: ", "))"
          + Spelling.suggestion(for: call.name, among: names), at: call.position)
    }
    let arguments = try arguments(of: call, for: setting.signature)
    var changed = recipe
    try located(call.position) { try setting.apply(arguments, to: &changed) }
    recipe = changed
  }

  /// The setting that `name` stands for: one of `names`, or what a value of that name says.
  private mutating func settingName(_ name: String, among names: [String], _ expression: Expression) throws -> String {
    guard !names.contains(name), case .symbol(let word)? = try? evaluate(expression), names.contains(word) else { return name }
    return word
  }
}
