import WaMIMGraph

extension Graph {
  /// The graph with sums over all rows of what kernels compute row by row taken in two steps: within each unit, and over the units.
  ///
  /// The first step is done by whoever computes the rows, while it has them: the gradients of biases and of layer norm's factors
  /// need not read again what a product's epilogue has just written, nor does anybody have to write what only they need.
  func withSumsWithinUnits() -> Graph {
    var rewriter = GraphRewriter(self)
    for value in values {
      var node = rewriter.mapped(value)
      if let within = axesWithinUnits(of: value), let operand = node.operands.first {
        var sum = node
        sum.operation = .reduce(.sum, axes: within)
        sum.type = rewriter.result[operand].type
        for axis in within { sum.type.shape[axis] = 1 }
        node.operands = [rewriter.append(sum)]
        node.operation = .reduce(.sum, axes: [0])
      }
      rewriter.replace(value, by: rewriter.append(node))
    }
    return rewriter.finish()
  }

  /// The axes that the first of two steps is over, where `value` sums all rows of something that has a kernel over rows.
  private func axesWithinUnits(of value: ValueID) -> [Int]? {
    guard case .reduce(.sum, let axes) = self[value].operation, let operand = self[value].operands.first else { return nil }
    let shape = self[operand].type.shape
    guard shape.rank > 2, shape[0] > 1, shape[-1] > 1, axes == Array(0..<shape.rank - 1) else { return nil }
    let node = self[operand]
    let isByRows =
      switch node.operation {
      case .unary, .binary: true
      case .matmul(let transposeLeft, _): !transposeLeft && self[node.operands[1]].type.shape.rank == 2
      default: false
      }
    return isByRows ? Array(axes.dropFirst()) : nil
  }

  /// Whether `value` is, for each unit and column, the sum of the unit's rows.
  func isSumWithinUnits(_ value: ValueID) -> Bool {
    guard case .reduce(.sum, let axes) = self[value].operation, let operand = self[value].operands.first else { return false }
    let shape = self[operand].type.shape
    return shape.rank > 2 && shape[-1] > 1 && axes == Array(1..<shape.rank - 1)
  }
}
