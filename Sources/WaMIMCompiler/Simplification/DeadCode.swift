import WaMIMGraph

extension Graph {
  /// The graph without what no loss, output or update needs; inputs, parameters and states stay, since they are its interface.
  func withoutDeadCode() -> Graph {
    let needed = needed()
    var rewriter = GraphRewriter(self)
    for value in values where needed[value.index] { rewriter.copy(value) }
    return rewriter.finish()
  }

  private func needed() -> [Bool] {
    var needed = nodes.map { $0.operation.sourceName != nil }
    for root in roots { needed[root.index] = true }
    for value in values.reversed() where needed[value.index] {
      for operand in self[value].operands { needed[operand.index] = true }
    }
    return needed
  }
}
