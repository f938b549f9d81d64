import WaMIMGraph

/// Rebuilds a graph value by value; loss, outputs, updates and everything said about training come along.
struct GraphRewriter {
  /// The graph being rebuilt.
  let source: Graph
  /// The new graph so far.
  private(set) var result: Graph
  /// Where each value of the source is found in the result, nil where it has been left out so far.
  private var counterparts: [ValueID?]

  init(_ source: Graph) {
    self.source = source
    result = source
    result.nodes = []
    result.nodes.reserveCapacity(source.nodes.count)
    counterparts = Array(repeating: nil, count: source.nodes.count)
  }

  /// Where `value` of the source is found in the result.
  ///
  /// - Requires: it has been given a counterpart.
  subscript(value: ValueID) -> ValueID {
    guard let counterpart = counterparts[value.index] else { preconditionFailure("value \(value.index) is used, but was left out") }
    return counterpart
  }

  /// Whether `value` of the source has a counterpart in the result.
  func hasCounterpart(_ value: ValueID) -> Bool { counterparts[value.index] != nil }

  /// Makes `counterpart` of the result stand for `value` of the source.
  mutating func replace(_ value: ValueID, by counterpart: ValueID) {
    counterparts[value.index] = counterpart
  }

  /// Keeps `value` as it is, on operands from the result.
  mutating func copy(_ value: ValueID) {
    counterparts[value.index] = append(mapped(value))
  }

  /// The node of `value`, on operands from the result.
  func mapped(_ value: ValueID) -> Node {
    var node = source[value]
    node.operands = node.operands.map { self[$0] }
    return node
  }

  /// Adds `node`, whose operands are values of the result.
  mutating func append(_ node: Node) -> ValueID {
    result.append(node)
  }

  /// Adds `operation` on values of the result, its type inferred, with the scope, location and region of `origin`.
  mutating func append(_ operation: Operation, _ operands: [ValueID], like origin: Node) throws -> ValueID {
    append(try result.node(operation, operands, like: origin))
  }

  /// The new graph.
  func finish() -> Graph {
    var graph = result
    graph.loss = source.loss.map { self[$0] }
    graph.outputs = source.outputs.map { .init(name: $0.name, value: self[$0.value]) }
    graph.updates = source.updates.map { .init(state: self[$0.state], value: self[$0.value]) }
    return graph
  }
}

extension Graph {
  /// `operation` on `operands` as a node, its type inferred, with the scope, location and region of `origin`.
  func node(_ operation: Operation, _ operands: [ValueID], like origin: Node) throws -> Node {
    let type = try operation.resultType(of: operands.map { self[$0].type })
    return Node(operation, operands, type: type, scope: origin.scope, location: origin.location, region: origin.region)
  }
}
