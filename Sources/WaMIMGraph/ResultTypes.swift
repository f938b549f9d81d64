extension Operation {
  /// The type of the operation's result.
  ///
  /// - Throws: `GraphError` where the operands do not fit the operation or each other; its message names both shapes.
  public func resultType(of operands: [TensorType]) throws -> TensorType {
    try checkArity(operands.count)
    switch self {
    case .input(let name, let type, _):
      guard type.element != .bfloat16 else {
        throw GraphError("the input '\(name)' cannot be bf16: take it as f32, and matmuls read it as bf16 where the model says so")
      }
      return try type.checked()
    case .state(let name, _, .parameter, _):
      throw GraphError("'\(name)' is a state, so it cannot have the role of a parameter: say whose moment it is")
    case .state(_, let shape, let role, _): return try TensorType(role.element, shape).checked()
    case .parameter(_, let shape, _, _), .accumulator(_, let shape), .constant(_, let shape):
      return try TensorType(.float32, shape).checked()
    case .positionTable(let width, let grid, let classToken):
      guard width % 4 == 0 else {
        throw GraphError("a table of positions needs a width that 4 divides, not \(width)")
      }
      guard grid >= 1, grid <= TensorType.largestGrid else {
        throw GraphError("a table of positions needs a grid of 1 to \(TensorType.largestGrid) positions a side, not \(grid)")
      }
      return try TensorType(.float32, [grid * grid + (classToken ? 1 : 0), width]).checked()
    case .unary: return try operands[0].numbers(self)
    case .detach: return try operands[0].floating(self)
    case .binary: return try sameFloats(operands)
    case .convert(let element): return try convertType(operands[0], to: element)
    case .broadcast(let shape): return try broadcastType(operands[0], to: shape)
    case .reshape(let shape): return try reshapeType(operands[0], to: shape)
    case .transpose(let permutation): return try transposeType(operands[0], permutation)
    case .slice(let axis, let start, let count, let step): return try sliceType(operands[0], axis, start, count, step)
    case .pad(let axis, let start, let extent, let step): return try padType(operands[0], axis, start, extent, step)
    case .concatenate(let axis): return try concatenateType(operands, axis)
    case .reduce(_, let axes): return try reduceType(operands[0], axes)
    case .matmul(let transposeLeft, let transposeRight):
      return try matmulType(operands[0], operands[1], transposeLeft, transposeRight)
    case .attention(let heads): return try attentionType(operands, heads)
    case .attentionGradient(let heads, let operand): return try attentionGradientType(operands, heads, operand)
    case .groupAttention(let heads): return try groupAttentionType(operands, heads)
    case .groupAttentionGradient(let heads, let operand): return try groupAttentionGradientType(operands, heads, operand)
    case .gather: return try gatherType(operands[0], operands[1])
    case .scatterAdd(let rows): return try scatterType(operands[0], operands[1], rows)
    case .rank: return TensorType(.int32, try operands[0].numbers(self).requireRank(atLeast: 1, self).shape)
    case .invertPermutation: return try operands[0].indices(self).requireRank(atLeast: 1, self)
    case .finerIndices(let grid, let side): return try finerIndicesType(operands[0], grid, side)
    case .windowGroups(let cut): return try windowGroupsType(operands[0], cut)
    case .waveletAnalysis: return try waveletType(operands[0])
    case .waveletAdjoint: return try waveletAdjointType(operands[0])
    }
  }

  private func checkArity(_ count: Int) throws {
    let schema = schema
    guard schema.isVariadic ? count >= 1 : count == schema.operands.count else {
      let expected = schema.isVariadic ? "at least one operand" : "\(schema.operands.count) operands"
      throw GraphError("'\(schema.name)' takes \(expected), not \(count)")
    }
  }
}

extension TensorType {
  /// The most elements that one tensor may have; more is a mistake in a size, and would not fit any machine.
  static let largestCount = 1 << 36
  /// The most axes that one tensor may have.
  static let largestRank = 16
  /// The longest side of a square grid with at most `largestCount` positions.
  static let largestGrid = 1 << 18

  /// This type, where all its extents are positive and their product is of a sensible size.
  func checked() throws -> TensorType {
    guard shape.rank <= TensorType.largestRank else {
      throw GraphError("a tensor has at most \(TensorType.largestRank) axes, not \(shape.rank)")
    }
    var count = 1
    for extent in shape.dimensions {
      guard extent > 0 else { throw GraphError("every extent has to be positive, but the shape is \(shape)") }
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, product <= TensorType.largestCount else {
        throw GraphError("a tensor of shape \(shape) is too large")
      }
      count = product
    }
    return self
  }

  /// This type, where it is of numbers that can be computed with.
  fileprivate func numbers(_ operation: Operation) throws -> TensorType {
    guard element == .float32 else { throw GraphError("'\(operation.schema.name)' takes f32, not \(self)") }
    return self
  }

  /// This type, where it is of floating-point numbers, however they are stored.
  fileprivate func floating(_ operation: Operation) throws -> TensorType {
    guard element.isFloatingPoint else { throw GraphError("'\(operation.schema.name)' takes f32, not \(self)") }
    return self
  }

  fileprivate func indices(_ operation: Operation) throws -> TensorType {
    guard element == .int32 else {
      throw GraphError("'\(operation.schema.name)' takes i32, not \(self)")
    }
    return self
  }

  @discardableResult
  fileprivate func requireRank(atLeast rank: Int, _ operation: Operation) throws -> TensorType {
    guard shape.rank >= rank else {
      throw GraphError("'\(operation.schema.name)' takes a tensor of at least \(rank) axes, not \(self)")
    }
    return self
  }

  @discardableResult
  fileprivate func requireRank(_ rank: Int, _ operation: Operation) throws -> TensorType {
    guard shape.rank == rank else {
      throw GraphError("'\(operation.schema.name)' takes a tensor of \(rank) axes, not \(self)")
    }
    return self
  }

  fileprivate func requireAxis(_ axis: Int, _ operation: Operation) throws {
    guard shape.dimensions.indices.contains(axis) else {
      throw GraphError("'\(operation.schema.name)' names axis \(axis), but \(self) has \(shape.rank) axes")
    }
  }
}

// MARK: Elementwise operations and movement

extension Operation {
  private func sameFloats(_ operands: [TensorType]) throws -> TensorType {
    let first = try operands[0].numbers(self)
    for other in operands.dropFirst() where try other.numbers(self) != first {
      throw GraphError("'\(schema.name)' takes operands of one shape, not \(first) and \(other)")
    }
    return first
  }

  private func convertType(_ operand: TensorType, to element: ElementType) throws -> TensorType {
    let isKnown =
      switch (operand.element, element) {
      case (.int32, .float32), (.float32, .bfloat16), (.bfloat16, .float32): true
      default: false
      }
    guard isKnown else {
      throw GraphError("'convert' makes f32 of i32 or bf16, and bf16 of f32, not \(element.rawValue) of \(operand)")
    }
    return TensorType(element, operand.shape)
  }

  private func broadcastType(_ operand: TensorType, to shape: Shape) throws -> TensorType {
    guard operand.shape.rank <= shape.rank, operand.shape.broadcast(with: shape) == shape else {
      throw GraphError("\(operand) cannot be repeated to the shape \(shape)")
    }
    return try TensorType(operand.element, shape).checked()
  }

  private func reshapeType(_ operand: TensorType, to shape: Shape) throws -> TensorType {
    let type = try TensorType(operand.element, shape).checked()
    guard operand.shape.count == shape.count else {
      throw GraphError(
        "\(operand) has \(operand.shape.count) elements, but the shape \(shape) has \(shape.count)")
    }
    return type
  }

  private func transposeType(_ operand: TensorType, _ permutation: [Int]) throws -> TensorType {
    guard permutation.sorted() == Array(0..<operand.shape.rank) else {
      throw GraphError("\(permutation) is no permutation of the axes of \(operand)")
    }
    return TensorType(operand.element, Shape(permutation.map { operand.shape[$0] }))
  }

  private func sliceType(_ operand: TensorType, _ axis: Int, _ start: Int, _ count: Int, _ step: Int) throws -> TensorType {
    try operand.requireAxis(axis, self)
    let extent = operand.shape[axis]
    guard start >= 0, count >= 1, step >= 1, start < extent, count - 1 <= (extent - 1 - start) / step else {
      throw GraphError("\(count) elements from \(start) in steps of \(step) do not lie within axis \(axis) of \(operand)")
    }
    var type = operand
    type.shape[axis] = count
    return type
  }

  private func padType(_ operand: TensorType, _ axis: Int, _ start: Int, _ extent: Int, _ step: Int) throws -> TensorType {
    try operand.floating(self).requireAxis(axis, self)
    let count = operand.shape[axis]
    guard start >= 0, step >= 1, start < extent, count - 1 <= (extent - 1 - start) / step else {
      throw GraphError("\(operand) from \(start) in steps of \(step) does not fit into an extent of \(extent) along axis \(axis)")
    }
    var type = operand
    type.shape[axis] = extent
    return try type.checked()
  }

  private func concatenateType(_ operands: [TensorType], _ axis: Int) throws -> TensorType {
    var type = operands[0]
    try type.requireAxis(axis, self)
    for other in operands.dropFirst() {
      var same = other
      guard other.element == type.element, other.shape.rank == type.shape.rank else {
        throw GraphError("\(type) and \(other) cannot be joined along axis \(axis)")
      }
      same.shape[axis] = type.shape[axis]
      guard same == type else {
        throw GraphError("\(type) and \(other) cannot be joined along axis \(axis): another axis differs")
      }
      type.shape[axis] += other.shape[axis]
    }
    return try type.checked()
  }

  private func reduceType(_ operand: TensorType, _ axes: [Int]) throws -> TensorType {
    var type = TensorType(.float32, try operand.floating(self).shape)
    guard Set(axes).count == axes.count, axes == axes.sorted() else {
      throw GraphError("axes \(axes) have to be in ascending order, each once")
    }
    for axis in axes {
      try operand.requireAxis(axis, self)
      type.shape[axis] = 1
    }
    return type
  }
}

// MARK: Contractions, indices and signals

extension Operation {
  private func matmulType(_ left: TensorType, _ right: TensorType, _ transposeLeft: Bool, _ transposeRight: Bool) throws
    -> TensorType
  {
    for operand in [left, right] { try operand.floating(self).requireRank(atLeast: 2, self) }
    guard left.element == right.element else {
      throw GraphError("matmul of \(left) and \(right): both sides have to be of one type")
    }
    let (m, k) = transposeLeft ? (left.shape[-1], left.shape[-2]) : (left.shape[-2], left.shape[-1])
    let (inner, n) = transposeRight ? (right.shape[-1], right.shape[-2]) : (right.shape[-2], right.shape[-1])
    guard k == inner else {
      throw GraphError("matmul of \(left) and \(right): the inner extents \(k) and \(inner) differ")
    }
    let leading = left.shape.dimensions.dropLast(2)
    guard right.shape.rank == 2 || Array(right.shape.dimensions.dropLast(2)) == Array(leading) else {
      throw GraphError("matmul of \(left) and \(right): the leading axes differ")
    }
    return try TensorType(.float32, Shape(leading + [m, n])).checked()
  }

  private func attentionType(_ operands: [TensorType], _ heads: Int) throws -> TensorType {
    for operand in operands { try operand.floating(self).requireRank(3, self) }
    let (query, key, value) = (operands[0], operands[1], operands[2])
    guard key == value, query.shape[0] == key.shape[0], query.shape[2] == key.shape[2] else {
      throw GraphError("attention of \(query) over keys \(key) and values \(value): the shapes do not fit")
    }
    guard heads >= 1, query.shape[2] % heads == 0 else {
      throw GraphError("\(heads) heads do not divide a width of \(query.shape[2])")
    }
    return query
  }

  private func attentionGradientType(_ operands: [TensorType], _ heads: Int, _ operand: AttentionOperand) throws -> TensorType {
    let result = try attentionType(Array(operands.prefix(3)), heads)
    guard operands[3] == result else {
      throw GraphError("the gradient of attention has to be \(result), not \(operands[3])")
    }
    guard operand != .bias else { throw GraphError("only attention within groups has a bias") }
    return operand == .query ? operands[0] : operands[1]
  }

  private func gatherType(_ rows: TensorType, _ indices: TensorType) throws -> TensorType {
    try rows.requireRank(3, self)
    try indices.indices(self).requireRank(2, self)
    guard rows.shape[0] == indices.shape[0] else {
      throw GraphError("rows \(rows) and indices \(indices) have different numbers of samples")
    }
    return try TensorType(rows.element, [rows.shape[0], indices.shape[1], rows.shape[2]]).checked()
  }

  private func scatterType(_ rows: TensorType, _ indices: TensorType, _ count: Int) throws -> TensorType {
    if rows.shape.rank != 4 { try rows.floating(self).requireRank(3, self) }
    try indices.indices(self).requireRank(rows.floating(self).shape.rank - 1, self)
    guard rows.shape.dimensions.dropLast() == indices.shape.dimensions[...] else {
      throw GraphError("rows \(rows) do not match indices \(indices)")
    }
    return try TensorType(.float32, [rows.shape[0], count, rows.shape[-1]]).checked()
  }

  private func waveletType(_ images: TensorType) throws -> TensorType {
    try images.numbers(self).requireRank(4, self)
    guard images.shape[2] % 2 == 0, images.shape[3] % 2 == 0 else {
      throw GraphError(
        "a wavelet level halves height and width, but 2 does not divide both of \(images): pad or crop the images, as periodization is "
          + "of even extents only")
    }
    return TensorType(
      .float32, [images.shape[0], images.shape[1], 4, images.shape[2] / 2, images.shape[3] / 2])
  }

  private func waveletAdjointType(_ bands: TensorType) throws -> TensorType {
    try bands.numbers(self).requireRank(5, self)
    guard bands.shape[2] == 4 else {
      throw GraphError("the subbands of a wavelet level have to be [batch, channels, 4, height, width], not \(bands)")
    }
    return try TensorType(.float32, [bands.shape[0], bands.shape[1], 2 * bands.shape[3], 2 * bands.shape[4]]).checked()
  }
}
