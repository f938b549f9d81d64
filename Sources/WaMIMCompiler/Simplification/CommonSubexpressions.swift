import WaMIMGraph

extension Graph {
  /// The graph with operations that say the same computed once, where the first of them stands.
  func withoutCommonSubexpressions() -> Graph {
    var rewriter = GraphRewriter(self)
    var known: [Computation: ValueID] = [:]
    for value in values {
      let node = rewriter.mapped(value)
      let computation = Computation(node)
      if let earlier = known[computation] {
        rewriter.replace(value, by: earlier)
      } else {
        let result = rewriter.append(node)
        known[computation] = result
        rewriter.replace(value, by: result)
      }
    }
    return rewriter.finish()
  }
}

/// What makes two nodes compute the same.
private struct Computation: Hashable {
  var operation: Operation
  var operands: [ValueID]

  init(_ node: Node) {
    operation = node.operation
    switch operation {
    case .binary(.add), .binary(.multiply): operands = node.operands.sorted()
    default: operands = node.operands
    }
  }
}
