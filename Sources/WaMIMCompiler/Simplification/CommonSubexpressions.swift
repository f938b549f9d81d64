import WaMIMGraph

extension Graph {
  /// The graph with operations that say the same computed once, at the first of their places.
  func withoutCommonSubexpressions() -> Graph {
    var rewriter = GraphRewriter(self)
    var known: [Computation: ValueID] = [:]
    for value in values {
      let node = rewriter.mapped(value)
      let computation = Computation(node)
      if let earlier = known[computation] {
        rewriter.replace(value, by: earlier)
      } else {
        let place = rewriter.append(node)
        known[computation] = place
        rewriter.replace(value, by: place)
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
