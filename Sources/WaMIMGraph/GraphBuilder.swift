/// Builds a graph operation by operation, and remembers the first mistake.
///
/// Operations on `Tensor` do not throw, so that models read as formulas; after a mistake they go on with a harmless value, and
/// `Graph.init(_:_:)` throws what went wrong first.
public final class GraphBuilder {
  /// The graph so far.
  public private(set) var graph: Graph
  /// The first mistake, or nil.
  public private(set) var error: GraphError?
  /// Where the source text stands that is being expanded; nodes remember it.
  public var location: SourceLocation?
  /// The share of a training step that is being built.
  public var region = Region.forward
  /// Whether the model is built to be trained: layers that behave otherwise when it is evaluated ask here.
  public var isTraining = true
  /// The group of the parameters that layers declare.
  public private(set) var group = ParameterGroup()
  /// Whether a parameter that is declared already stands for itself where it is declared once more.
  private var sharesParameters = false
  /// The parameters so far, by name.
  private var parameters: [String: ValueID] = [:]
  /// The most operations that a model may have: a description that wants more is taken for a runaway loop.
  public static let largestNodeCount = 250_000

  /// What layers remember of the graph so far, by the type of the note.
  private var notes: [ObjectIdentifier: any BuilderNote] = [:]

  /// Whether the operations come from a description, which may run away, and not from a stage of the compiler.
  private let isDescribed: Bool
  /// The paths of the layers being built, outermost first, so that nodes of one layer share one string.
  private var scopes: [String] = []
  private var counters: [String: Int] = [:]
  private var outputNames: Set<String> = []

  /// Starts an empty graph called `name`.
  public init(name: String) {
    graph = Graph(name: name)
    isDescribed = true
  }

  /// Starts with the operations of `graph`, to add more.
  public init(extending graph: Graph) {
    self.graph = graph
    isDescribed = false
    outputNames = Set(graph.outputs.map(\.name))
  }

  /// The graph, verified.
  ///
  /// - Throws: `GraphError`, the first mistake made while building.
  public func finish() throws -> Graph {
    if let error { throw error }
    try graph.verify()
    return graph
  }

  /// Remembers `error` if it is the first, at the line being expanded.
  public func fail(_ error: GraphError) {
    guard self.error == nil else { return }
    var error = error
    error.location = error.location ?? location
    if !scope.isEmpty, error.notes.isEmpty { error.message += " (in \(scope))" }
    self.error = error
  }

  /// Remembers a mistake if it is the first, at the line being expanded.
  public func fail(_ message: String) {
    fail(GraphError(message))
  }

  // MARK: Names

  /// The path of the layer that is being built, such as `blocks.3.attn`.
  public var scope: String { scopes.last ?? "" }

  /// The full name of `name` in the layer being built.
  public func qualified(_ name: String) -> String {
    scopes.isEmpty ? name : scope + "." + name
  }

  /// Builds the layer called `name`.
  public func scoped<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
    scopes.append(qualified(name))
    defer { scopes.removeLast() }
    return try body()
  }

  /// A number that counts up from 0 for each `name` in the layer being built.
  public func nextIndex(of name: String) -> Int {
    let name = qualified(name)
    defer { counters[name, default: 0] += 1 }
    return counters[name, default: 0]
  }

  /// Runs `body` with operations said to stand at `file` and `line`, unless an outer location is known already.
  public func located<Result>(_ file: String, _ line: Int, _ body: () throws -> Result) rethrows -> Result {
    // What the compiler adds stands in no source of the model.
    guard location == nil, isDescribed else { return try body() }
    location = SourceLocation(file: file, line: line)
    defer { location = nil }
    return try body()
  }

  /// Builds what `node` is the reason for: under its scope, at its location.
  package func beside<Result>(_ node: Node, _ body: () throws -> Result) rethrows -> Result {
    let outer = (scopes: scopes, location: location)
    (scopes, location) = (node.scope.isEmpty ? [] : [node.scope], node.location)
    defer { (scopes, location) = outer }
    return try body()
  }

  // MARK: Parameters

  /// Builds layers whose parameters belong to the group outside, but have more layers above them, another decay, or keep their values.
  public func grouped<Result>(
    layersAbove: Int = 0, decay: ParameterGroup.Decay? = nil, isFrozen: Bool = false, _ body: () throws -> Result
  ) rethrows -> Result {
    let outer = group
    group.layersAbove += layersAbove
    group.decay = decay ?? group.decay
    group.isFrozen = group.isFrozen || isFrozen
    defer { group = outer }
    return try body()
  }

  /// Builds layers as they are when the model is evaluated, with the parameters that are declared already where names are the same.
  public func sharingParameters<Result>(_ body: () throws -> Result) rethrows -> Result {
    let outer = (isTraining, sharesParameters)
    (isTraining, sharesParameters) = (false, true)
    defer { (isTraining, sharesParameters) = outer }
    return try body()
  }

  /// The parameter that `operation` declares once more, or nil; one of another shape is a mistake.
  private func shared(_ operation: Operation) -> Tensor? {
    guard sharesParameters, case .parameter(let name, let shape, _, _) = operation, let known = parameters[name] else { return nil }
    if graph[known].type.shape != shape {
      fail("'\(name)' has the shape \(graph[known].type.shape) already, and cannot be shared as \(shape)")
    }
    return Tensor(builder: self, value: known)
  }

  // MARK: Operations

  /// Adds an operation on `operands`, its type inferred; what stands nowhere itself stands where its last operand does.
  public func add(_ operation: Operation, _ operands: [Tensor] = []) -> Tensor {
    if let known = shared(operation) { return known }
    let ids = operands.map(\.value)
    guard !isDescribed || graph.nodes.count < GraphBuilder.largestNodeCount else {
      fail("the model has more than \(GraphBuilder.largestNodeCount) operations: does a loop or a recursion run away?")
      return operands.first ?? Tensor(builder: self, value: ValueID(0))
    }
    do {
      let type = try operation.resultType(of: operands.map(\.type))
      let source = location ?? ids.last.flatMap { graph[$0].location }
      let value = graph.append(Node(operation, ids, type: type, scope: scope, location: source, region: region))
      if case .parameter(let name, _, _, _) = operation { parameters[name] = value }
      return Tensor(builder: self, value: value)
    } catch let mistake as GraphError {
      fail(graph.located(mistake, operands: ids, location: location))
    } catch {
      fail("\(error)")
    }
    return operands.first ?? standIn()
  }

  /// The value at `id` of the graph so far.
  public func tensor(_ id: ValueID) -> Tensor {
    Tensor(builder: self, value: id)
  }

  /// Something to go on with after a mistake in an operation without operands.
  private func standIn() -> Tensor {
    let node = Node(
      .constant(value: 0, shape: []), [], type: TensorType(.float32, []), scope: scope, location: location, region: region)
    return Tensor(builder: self, value: graph.append(node))
  }

  // MARK: Results

  /// Makes `loss`, a scalar, what training minimises; it is also the output `loss`.
  public func minimize(_ loss: Tensor) {
    guard loss.shape.count == 1, loss.type.element == .float32 else {
      return fail("the loss has to be a scalar, but is \(loss.type)")
    }
    let scalar = loss.shape.rank == 0 ? loss : loss.reshaped([])
    if graph.loss != nil { fail("the model has a loss already") }
    graph.loss = scalar.value
    output("loss", scalar)
  }

  /// Keeps `value` under `name` for those who ask a trained model for it.
  public func output(_ name: String, _ value: Tensor) {
    guard outputNames.insert(name).inserted else { return fail("the output '\(name)' is declared twice") }
    graph.outputs.append(.init(name: name, value: value.value))
  }

  /// Makes `loss`, a scalar, what training minimises, without keeping it as an output.
  public func minimizeUnnamed(_ loss: Tensor) {
    if graph.loss != nil { fail("the model has a loss already") }
    graph.loss = loss.value
  }

  /// Says that the operations from number `first` on belong to `region` and to the layer called `scope`, where those are
  /// given; names stay as they are.
  public func assign(operationsFrom first: Int, to region: Region?, in scope: String?) {
    for index in graph.nodes.indices.dropFirst(first) {
      if let scope { graph.nodes[index].scope = scope }
      if let region { graph.nodes[index].region = region }
    }
  }

  /// Makes `value` what `state` holds after the step.
  public func update(_ state: Tensor, to value: Tensor) {
    graph.updates.append(.init(state: state.value, value: value.value))
  }

  // MARK: Notes

  /// What layers remember of the graph under `Note`.
  public subscript<Note: BuilderNote>(note: Note.Type) -> Note {
    get { notes[ObjectIdentifier(note)] as? Note ?? Note() }
    set { notes[ObjectIdentifier(note)] = newValue }
  }
}

/// Something that layers have to remember while a graph is being built, and that does not belong to the graph.
public protocol BuilderNote {
  /// Nothing to remember yet.
  init()
}

extension Graph {
  /// Builds a graph called `name`.
  ///
  /// - Throws: `GraphError`, the first mistake that `body` makes.
  public init(_ name: String, _ body: (GraphBuilder) throws -> Void) throws {
    let builder = GraphBuilder(name: name)
    try body(builder)
    self = try builder.finish()
  }
}
