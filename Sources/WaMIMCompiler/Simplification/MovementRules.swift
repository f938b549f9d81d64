import WaMIMGraph

extension Simplifier {
  /// Movements that move nothing, and two that are one.
  mutating func simplifyMovement(_ node: Node) throws -> ValueID? {
    switch node.operation {
    case .broadcast: try simplifyBroadcast(node, node.operands[0])
    case .reshape: try simplifyReshape(node, node.operands[0])
    case .transpose(let permutation): try simplifyTranspose(node, node.operands[0], permutation)
    case .slice(let axis, let start, let count, let step): try simplifySlice(node, node.operands[0], axis, start, count, step)
    case .pad(_, _, let extent, _): shape(node.operands[0]) == node.type.shape && extent > 0 ? node.operands[0] : nil
    default: nil
    }
  }

  private mutating func simplifyBroadcast(_ node: Node, _ x: ValueID) throws -> ValueID? {
    if shape(x) == node.type.shape { return x }
    if shape(x).count == node.type.shape.count { return try build(.reshape(shape: node.type.shape), [x], like: node) }
    switch operation(x) {
    case .broadcast: return try build(node.operation, [operand(x)], like: node)
    case .reshape where shape(x).withoutLeadingOnes == shape(operand(x)).withoutLeadingOnes:
      guard shape(operand(x)).rank <= node.type.shape.rank else { return nil }
      return try build(node.operation, [operand(x)], like: node)
    default: return nil
    }
  }

  private mutating func simplifyReshape(_ node: Node, _ x: ValueID) throws -> ValueID? {
    if shape(x) == node.type.shape { return x }
    if case .reshape = operation(x) { return try build(node.operation, [operand(x)], like: node) }
    return nil
  }

  private mutating func simplifyTranspose(_ node: Node, _ x: ValueID, _ permutation: [Int]) throws -> ValueID? {
    if permutation == permutation.sorted() { return x }
    if case .transpose(let inner) = operation(x) {
      return try build(.transpose(permutation: permutation.map { inner[$0] }), [operand(x)], like: node)
    }
    let moved = permutation.filter { shape(x)[$0] != 1 }
    if moved == moved.sorted() { return try build(.reshape(shape: node.type.shape), [x], like: node) }
    return try transposeBelowReshape(node, x, permutation)
  }

  /// A transpose of joined axes of a transposed value, as one transpose of the axes before they are joined.
  private mutating func transposeBelowReshape(_ node: Node, _ x: ValueID, _ permutation: [Int]) throws -> ValueID? {
    guard case .reshape = operation(x), case .transpose = operation(operand(x)),
      let groups = shape(operand(x)).axes(joinedInto: shape(x))
    else { return nil }
    let transposed = try build(.transpose(permutation: permutation.flatMap { groups[$0] }), [operand(x)], like: node)
    return try build(.reshape(shape: node.type.shape), [transposed], like: node)
  }

  private mutating func simplifySlice(
    _ node: Node, _ x: ValueID, _ axis: Int, _ start: Int, _ count: Int, _ step: Int
  ) throws -> ValueID? {
    if shape(x) == node.type.shape { return x }
    if count == 1, step != 1 { return try build(.slice(axis: axis, start: start, count: 1, step: 1), [x], like: node) }
    switch operation(x) {
    case .slice(axis, let first, _, let stride):
      let joined = Operation.slice(axis: axis, start: first + start * stride, count: count, step: step * stride)
      return try build(joined, [operand(x)], like: node)
    case .broadcast where repeats(x, axis): return try build(.broadcast(shape: node.type.shape), [operand(x)], like: node)
    case .pad(axis, let first, _, 1) where step == 1:
      let inside = first..<first + shape(operand(x))[axis]
      guard inside.contains(start), inside.contains(start + count - 1) else { return nil }
      return try build(.slice(axis: axis, start: start - first, count: count, step: 1), [operand(x)], like: node)
    case .concatenate(axis): return try sliceOfConcatenation(node, rewriter.result[x].operands, axis, start, count, step)
    default: return nil
    }
  }

  /// Whether the elements of the broadcast `x` are the same all along `axis`.
  private func repeats(_ x: ValueID, _ axis: Int) -> Bool {
    let (source, target) = (shape(operand(x)), shape(x))
    let aligned = axis - (target.rank - source.rank)
    return aligned < 0 || source[aligned] == 1
  }

  private mutating func sliceOfConcatenation(
    _ node: Node, _ pieces: [ValueID], _ axis: Int, _ start: Int, _ count: Int, _ step: Int
  ) throws -> ValueID? {
    var begin = 0
    for piece in pieces {
      let end = begin + shape(piece)[axis]
      if begin <= start, start + (count - 1) * step < end {
        return try build(.slice(axis: axis, start: start - begin, count: count, step: step), [piece], like: node)
      }
      begin = end
    }
    return nil
  }
}

extension Simplifier {
  /// Concatenations of what belongs together already, and sums by index that only reorder.
  mutating func simplifyJoints(_ node: Node) throws -> ValueID? {
    switch node.operation {
    case .concatenate(let axis): try simplifyConcatenation(node, axis)
    case .scatterAdd(let rows): try simplifyScatter(node, node.operands[0], node.operands[1], rows)
    default: nil
    }
  }

  private mutating func simplifyConcatenation(_ node: Node, _ axis: Int) throws -> ValueID? {
    var pieces: [ValueID] = []
    for value in node.operands {
      if case .concatenate(axis) = operation(value) {
        pieces += rewriter.result[value].operands
      } else if let last = pieces.last, let joined = try joined(last, value, axis, like: node) {
        pieces[pieces.count - 1] = joined
      } else {
        pieces.append(value)
      }
    }
    if pieces.count == 1 { return pieces[0] }
    return pieces == node.operands ? nil : try build(.concatenate(axis: axis), pieces, like: node)
  }

  /// The slice that `first` and `second` are when the one goes on where the other ends.
  private mutating func joined(_ first: ValueID, _ second: ValueID, _ axis: Int, like node: Node) throws -> ValueID? {
    guard case .slice(axis, let start, let count, 1) = operation(first),
      case .slice(axis, start + count, let more, 1) = operation(second), operand(first) == operand(second)
    else { return nil }
    return try build(.slice(axis: axis, start: start, count: count + more, step: 1), [operand(first)], like: node)
  }

  /// Adding up by a permutation is picking by its inverse.
  private mutating func simplifyScatter(_ node: Node, _ x: ValueID, _ indices: ValueID, _ rows: Int) throws -> ValueID? {
    guard shape(indices).rank == 2, shape(indices)[1] == rows else { return nil }
    switch operation(indices) {
    case .invertPermutation: return try build(.gather, [x, operand(indices)], like: node)
    case .rank:
      let inverse = try build(.invertPermutation, [indices], like: node)
      return try build(.gather, [x, inverse], like: node)
    default: return nil
    }
  }
}

extension Simplifier {
  /// Picking rows out of order, and then those that lay next to each other before.
  mutating func simplifyGather(_ node: Node) throws -> ValueID? {
    guard case .gather = node.operation, case .gather = operation(node.operands[0]) else { return nil }
    let (source, order) = (operand(node.operands[0]), rewriter.result[node.operands[0]].operands[1])
    if isInverse(node.operands[1], of: order) { return source }
    guard case .slice(1, let start, let count, 1) = operation(node.operands[1]), isInverse(operand(node.operands[1]), of: order)
    else { return nil }
    return try build(.slice(axis: 1, start: start, count: count, step: 1), [source], like: node)
  }

  private func isInverse(_ indices: ValueID, of order: ValueID) -> Bool {
    func inverts(_ inverse: ValueID, _ permutation: ValueID) -> Bool {
      if case .invertPermutation = operation(inverse) { operand(inverse) == permutation } else { false }
    }
    return inverts(indices, order) || inverts(order, indices)
  }
}

extension Shape {
  fileprivate var withoutLeadingOnes: [Int] { Array(dimensions.drop { $0 == 1 }) }

  /// For each axis of `target` the axes that it consists of, where nothing but neighbours has been joined.
  fileprivate func axes(joinedInto target: Shape) -> [[Int]]? {
    var groups: [[Int]] = []
    var next = 0
    for extent in target.dimensions {
      var (group, product) = ([Int](), 1)
      while product < extent, next < rank {
        group.append(next)
        product *= self[next]
        next += 1
      }
      guard product == extent else { return nil }
      groups.append(group)
    }
    guard !groups.isEmpty, dimensions[next...].allSatisfy({ $0 == 1 }) else { return nil }
    groups[groups.count - 1] += next..<rank
    return groups
  }
}
