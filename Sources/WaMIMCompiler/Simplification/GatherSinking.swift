import WaMIMGraph

extension Graph {
  /// The graph with rows picked before they are computed on, where that is less work.
  ///
  /// An operation that treats rows alike commutes with picking rows: the rows that nobody picks need not be computed at all.
  func withSunkGathers() throws -> Graph {
    var sinker = GatherSinker(self)
    for value in values { try sinker.rewrite(value) }
    return sinker.rewriter.finish()
  }
}

/// Rebuilds a graph with gathers before the row-wise operations that they come after.
private struct GatherSinker {
  var rewriter: GraphRewriter
  /// For each value, the indices that pick its rows and nothing else of it, or nil where it is needed as a whole.
  private let picks: [ValueID?]
  /// What has been built of the picked rows of values of the source.
  private var picked: [ValueID: ValueID] = [:]

  init(_ graph: Graph) {
    rewriter = GraphRewriter(graph)
    picks = GatherSinker.profitable(GatherSinker.picks(in: graph), in: graph)
  }

  mutating func rewrite(_ value: ValueID) throws {
    let node = rewriter.source[value]
    // Values of which only rows are needed are built where the rows are picked, since the indices may be known only there.
    guard picks[value.index] == nil else { return }
    if case .gather = node.operation, picks[node.operands[0].index] != nil {
      rewriter.replace(value, by: try rows(of: node.operands[0], at: node.operands[1]))
    } else {
      rewriter.copy(value)
    }
  }

  /// The rows of `value` [b, n, c], which is computed for these rows only, that `indices` [b, k] pick: [b, k, c].
  private mutating func rows(of value: ValueID, at indices: ValueID) throws -> ValueID {
    var missing: Set<ValueID> = []
    var pending = [value]
    while let next = pending.popLast() {
      guard picks[next.index] != nil, picked[next] == nil, missing.insert(next).inserted else { continue }
      pending += rewriter.source[next].operands
    }
    for value in missing.sorted() { picked[value] = try computeRows(of: value, at: indices) }
    return try pickedRows(of: value, at: indices)
  }

  /// The operation of `value` on the picked rows of its operands.
  private mutating func computeRows(of value: ValueID, at indices: ValueID) throws -> ValueID {
    let node = rewriter.source[value]
    var shape = node.type.shape
    shape[1] = rewriter.source[indices].type.shape[1]
    switch node.operation {
    case .constant(let number, _): return try rewriter.append(.constant(value: number, shape: shape), [], like: node)
    case .broadcast:
      let rows = try rowsBeforeBroadcast(node, at: indices)
      return try rewriter.append(.broadcast(shape: shape), [rows], like: node)
    case .matmul:
      let left = try pickedRows(of: node.operands[0], at: indices)
      return try rewriter.append(node.operation, [left, rewriter[node.operands[1]]], like: node)
    default:
      let operands = try node.operands.map { try pickedRows(of: $0, at: indices) }
      return try rewriter.append(node.operation, operands, like: node)
    }
  }

  /// The picked rows of `value`, computed already or picked here.
  private mutating func pickedRows(of value: ValueID, at indices: ValueID) throws -> ValueID {
    if let known = picked[value] { return known }
    return try rewriter.append(.gather, [rewriter[value], rewriter[indices]], like: rewriter.source[value])
  }

  /// The picked rows of what `node` repeats, or all of it where it is the same for every row.
  private mutating func rowsBeforeBroadcast(_ node: Node, at indices: ValueID) throws -> ValueID {
    let (source, target) = (node.operands[0], node.type.shape)
    if let known = picked[source] { return known }
    let shape = rewriter.source[source].type.shape
    let aligned = [Int](repeating: 1, count: 3 - shape.rank) + shape.dimensions
    guard aligned[1] != 1 else { return rewriter[source] }
    let samples = try rewriter.append(.broadcast(shape: [target[0], aligned[1], aligned[2]]), [rewriter[source]], like: node)
    return try rewriter.append(.gather, [samples, rewriter[indices]], like: node)
  }
}

// MARK: Analysis

extension GatherSinker {
  /// For each value that nothing but gathers by the same indices needs, directly or through row-wise operations, those indices.
  fileprivate static func picks(in graph: Graph) -> [ValueID?] {
    let users = graph.users()
    var picks = [ValueID?](repeating: nil, count: graph.nodes.count)
    let roots = Set(graph.roots)
    for value in graph.values.reversed() where graph.isRowWise(value) && !roots.contains(value) {
      let indices = users[value.index].map { graph.indices(picking: value, for: $0, picks) }
      guard let first = indices.first, let common = first, indices.allSatisfy({ $0 == common }) else { continue }
      guard graph[common].type.shape[1] < graph[value].type.shape[1] else { continue }
      picks[value.index] = common
    }
    return picks
  }

  /// `picks` without the indices by which picking early is more work than picking late.
  fileprivate static func profitable(_ picks: [ValueID?], in graph: Graph) -> [ValueID?] {
    let worthwhile = Set(picks.compactMap { $0 }).filter { saving($0, picks, in: graph) > 0 }
    return picks.map { $0.flatMap { worthwhile.contains($0) ? $0 : nil } }
  }

  /// How many element operations picking early by `indices` saves.
  private static func saving(_ indices: ValueID, _ picks: [ValueID?], in graph: Graph) -> Int {
    var saving = 0
    let count = graph[indices].type.shape[1]
    for node in graph.nodes {
      if case .gather = node.operation, node.operands[1] == indices, picks[node.operands[0].index] == indices {
        saving += node.type.shape.count
      }
    }
    for value in graph.values where picks[value.index] == indices {
      let node = graph[value]
      saving += graph.workOfRow(value) * (node.type.shape[1] - count)
      for operand in node.rowOperands where picks[operand.index] != indices && graph.hasRows(operand, of: node) {
        saving -= node.type.shape[0] * graph[operand].type.shape[-1] * count
      }
    }
    return saving
  }
}

extension Graph {
  /// The indices by which `user` takes only rows of `value`, nil where it needs all of it.
  fileprivate func indices(picking value: ValueID, for user: ValueID, _ picks: [ValueID?]) -> ValueID? {
    let node = self[user]
    let uses = node.operands.count { $0 == value }
    if case .gather = node.operation { return node.operands[0] == value && uses == 1 ? node.operands[1] : nil }
    // A table that is the same for every sample cannot be picked from before it is repeated for each.
    guard let indices = picks[user.index], node.rowOperands.count(where: { $0 == value }) == uses, hasRows(value, of: node),
      self[value].type.shape[0] == node.type.shape[0]
    else { return nil }
    return indices
  }

  /// Whether `operand` has a row of its own for each row of `node`'s result.
  fileprivate func hasRows(_ operand: ValueID, of node: Node) -> Bool {
    let shape = self[operand].type.shape
    guard case .broadcast = node.operation else { return true }
    return shape.rank >= 2 && shape[-2] == node.type.shape[1]
  }

  /// Whether each row of `value` [b, n, c] depends on the operands' rows at the same place only.
  fileprivate func isRowWise(_ value: ValueID) -> Bool {
    let node = self[value]
    guard node.type.shape.rank == 3, node.type.element == .float32 else { return false }
    return switch node.operation {
    case .unary, .binary, .detach, .broadcast, .constant: true
    case .matmul(let transposeLeft, _): !transposeLeft && self[node.operands[1]].type.shape.rank == 2
    case .slice(let axis, _, _, _), .concatenate(let axis), .pad(let axis, _, _, _): axis == 2
    case .reduce(_, let axes): axes == [2]
    default: false
    }
  }

  /// The element operations that one row of `value` takes in all samples together.
  fileprivate func workOfRow(_ value: ValueID) -> Int {
    let node = self[value]
    let elements = node.type.shape.count / node.type.shape[1]
    return switch node.operation {
    case .matmul: elements * self[node.operands[0]].type.shape[2]
    case .reduce: self[node.operands[0]].type.shape.count / node.type.shape[1]
    case .broadcast, .constant, .slice: 0
    default: elements
    }
  }
}

extension Node {
  /// The operands that have rows for the result's rows.
  fileprivate var rowOperands: [ValueID] {
    if case .matmul = operation { Array(operands.prefix(1)) } else { operands }
  }
}
