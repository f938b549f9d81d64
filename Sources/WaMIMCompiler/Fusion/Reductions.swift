import WaMIMGraph

extension Graph {
  /// The graph with every reduction over the last axis alone, or over other axes alone: the two kinds that kernels know.
  func withSeparatedReductions() -> Graph {
    var result = self
    result.nodes = []
    var moved = [ValueID](repeating: ValueID(0), count: nodes.count)
    for value in values {
      var node = self[value]
      node.operands = node.operands.map { moved[$0.index] }
      if case .reduce(let function, let axes) = node.operation, axes.count > 1, let operand = node.operands.first,
        axes.last == result[operand].type.shape.rank - 1, let last = axes.last
      {
        var row = node
        row.operation = .reduce(function, axes: [last])
        row.type = result[operand].type
        row.type.shape[last] = 1
        node.operands = [result.append(row)]
        node.operation = .reduce(function, axes: Array(axes.dropLast()))
      }
      moved[value.index] = result.append(node)
    }
    result.loss = loss.map { moved[$0.index] }
    result.outputs = outputs.map { .init(name: $0.name, value: moved[$0.value.index]) }
    result.updates = updates.map { .init(state: moved[$0.state.index], value: moved[$0.value.index]) }
    return result
  }
}
