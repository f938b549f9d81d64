// The types of what works on groups of tokens.

extension Operation {
  func finerIndicesType(_ cells: TensorType, _ grid: Int, _ side: Int) throws -> TensorType {
    try checkIndices(cells)
    guard side >= 1, side.nonzeroBitCount == 1, side <= Operation.longestSide else {
      throw GraphError("'finer_indices' cuts a cell into a power of two cells a side, not \(side)")
    }
    guard grid >= 1, grid <= Operation.longestSide / side else {
      throw GraphError("'finer_indices' needs a grid of 1 to \(Operation.longestSide / side) cells a side, not \(grid)")
    }
    guard cells.shape[1] <= grid * grid else {
      throw GraphError("a grid of \(grid) × \(grid) has no \(cells.shape[1]) cells")
    }
    return try TensorType(.int32, [cells.shape[0], cells.shape[1] * side * side]).checked()
  }

  func windowGroupsType(_ cells: TensorType, _ cut: WindowCut) throws -> TensorType {
    try checkIndices(cells)
    guard cut.grid >= 1, cut.grid <= Operation.longestSide else {
      throw GraphError("'window_groups' needs a grid of 1 to \(Operation.longestSide) tokens a side, not \(cut.grid)")
    }
    guard cut.window >= 1, cut.window <= cut.grid, cut.window <= Operation.longestWindow else {
      throw GraphError(
        "'window_groups' needs a window of 1 to \(min(cut.grid, Operation.longestWindow)) tokens a side on a grid of \(cut.grid), not "
          + "\(cut.window)")
    }
    guard cut.shift >= 0, cut.shift < cut.window else {
      throw GraphError("a window of \(cut.window) tokens a side can be shifted by 0 to \(cut.window - 1), not by \(cut.shift)")
    }
    guard cells.shape[1] <= cut.grid * cut.grid else {
      throw GraphError("a grid of \(cut.grid) × \(cut.grid) has no \(cells.shape[1]) cells for tokens")
    }
    return try TensorType(.int32, [cells.shape[0], 3, cells.shape[1]]).checked()
  }

  func groupAttentionType(_ operands: [TensorType], _ heads: Int) throws -> TensorType {
    let (query, bias, groups) = (operands[0], operands[3], operands[4])
    guard query.element.isFloatingPoint, query.shape.rank == 3, operands[1] == query, operands[2] == query else {
      throw GraphError(
        "attention within groups takes queries, keys and values of one shape [batch, tokens, width], not \(query), \(operands[1]) and "
          + "\(operands[2])")
    }
    guard heads >= 1, query.shape[2] % heads == 0 else {
      throw GraphError("\(heads) heads do not divide a width of \(query.shape[2])")
    }
    guard groups == TensorType(.int32, [query.shape[0], 3, query.shape[1]]) else {
      throw GraphError(
        "the groups of \(query.shape[1]) tokens have to be i32[\(query.shape[0]), 3, \(query.shape[1])], not \(groups)")
    }
    guard bias.element == .float32, bias.shape.rank == 2, bias.shape[1] == heads, WindowCut.window(ofBiases: bias.shape[0]) != nil
    else {
      throw GraphError("the biases of \(heads) heads in windows of w · w tokens have to be f32[(2w - 1)², \(heads)], not \(bias)")
    }
    return query
  }

  func groupAttentionGradientType(_ operands: [TensorType], _ heads: Int, _ operand: AttentionOperand) throws -> TensorType {
    let result = try groupAttentionType(Array(operands.prefix(5)), heads)
    guard operands[5] == result else {
      throw GraphError("the gradient of attention has to be \(result), not \(operands[5])")
    }
    guard operand == .bias else { return result }
    return try TensorType(.float32, Shape([result.shape[0]] + operands[3].shape.dimensions)).checked()
  }

  private func checkIndices(_ cells: TensorType) throws {
    guard cells.element == .int32, cells.shape.rank == 2 else {
      throw GraphError("'\(schema.name)' takes cells i32[batch, count], not \(cells)")
    }
  }

  /// The longest side of a grid whose cells have numbers of 32 bits.
  private static let longestSide = 1 << 15
  /// The longest side of a window.
  private static let longestWindow = 64
}

extension WindowCut {
  /// The side of the windows whose table of biases has `rows` rows, nil where that is no table's number.
  public static func window(ofBiases rows: Int) -> Int? {
    let side = Int(Double(rows).squareRoot().rounded())
    return side > 0 && side * side == rows && side % 2 == 1 ? (side + 1) / 2 : nil
  }
}
