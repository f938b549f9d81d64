import WaMIMGraph

extension Graph {
  /// The graph with algebraic identities applied wherever they save work.
  ///
  /// The gradients stay what they are, so this can come before differentiation; what is no longer used is left to dead-code removal.
  func simplified() throws -> Graph {
    var simplifier = Simplifier(rewriter: GraphRewriter(self))
    for value in values { try simplifier.rewrite(value) }
    return simplifier.rewriter.finish()
  }

  /// The graph with detached values used as they are, for when no more gradients will be taken.
  func withoutDetachments() -> Graph {
    var rewriter = GraphRewriter(self)
    for value in values {
      if case .detach = self[value].operation {
        rewriter.replace(value, by: rewriter[self[value].operands[0]])
      } else {
        rewriter.copy(value)
      }
    }
    return rewriter.finish()
  }
}

/// Builds nodes, each replaced by something simpler where a rule knows how.
///
/// A rule takes a node on values of the new graph and returns a value that can take its place, or nil where it does not apply.
struct Simplifier {
  var rewriter: GraphRewriter

  /// The graph built so far.
  var graph: Graph { rewriter.result }

  /// Builds what stands for `value` of the source.
  mutating func rewrite(_ value: ValueID) throws {
    rewriter.replace(value, by: try build(rewriter.mapped(value)))
  }

  /// Builds `operation` on values of the new graph, with the scope, location and region of `origin`.
  mutating func build(_ operation: Operation, _ operands: [ValueID], like origin: Node) throws -> ValueID {
    try build(rewriter.result.node(operation, operands, like: origin))
  }

  private mutating func build(_ node: Node) throws -> ValueID {
    if let value = try foldConstants(node) { return value }
    if let value = try simplifyArithmetic(node) { return value }
    if let value = try hoistAboveBroadcast(node) { return value }
    if let value = try simplifyMovement(node) { return value }
    if let value = try simplifyJoints(node) { return value }
    if let value = try simplifyGather(node) { return value }
    if let value = try simplifyReduction(node) { return value }
    if let value = try simplifyContraction(node) { return value }
    return rewriter.append(node)
  }

  /// The operation that computes `value` of the new graph.
  func operation(_ value: ValueID) -> Operation { rewriter.result[value].operation }

  /// The first operand of `value` of the new graph.
  func operand(_ value: ValueID) -> ValueID { rewriter.result[value].operands[0] }

  /// The shape of `value` of the new graph.
  func shape(_ value: ValueID) -> Shape { rewriter.result[value].type.shape }

  /// The number that all elements of `value` are, where the graph says so.
  func constant(_ value: ValueID) -> Float? {
    if case .constant(let number, _) = operation(value) { number } else { nil }
  }

  /// A tensor of `shape` whose elements are all `number`.
  mutating func constant(_ number: Float, _ shape: Shape, like origin: Node) throws -> ValueID {
    try build(.constant(value: number, shape: shape), [], like: origin)
  }
}
