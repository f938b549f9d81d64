import WaMIMGraph

extension Graph {
  /// The graph with every reduction over the last axis alone, or over other axes alone: the two kinds that kernels know.
  func withSeparatedReductions() -> Graph {
    var rewriter = GraphRewriter(self)
    for value in values {
      var node = rewriter.mapped(value)
      if case .reduce(let function, let axes) = node.operation, axes.count > 1, let operand = node.operands.first,
        let last = axes.last, last == rewriter.result[operand].type.shape.rank - 1
      {
        var row = node
        row.operation = .reduce(function, axes: [last])
        row.type = rewriter.result[operand].type
        row.type.shape[last] = 1
        node.operands = [rewriter.append(row)]
        node.operation = .reduce(function, axes: Array(axes.dropLast()))
      }
      rewriter.replace(value, by: rewriter.append(node))
    }
    return rewriter.finish()
  }
}
