import WaMIMGraph

extension Graph {
  /// The graph with rows picked before they are computed on, where that is less work.
  ///
  /// An operation that treats rows alike commutes with picking rows: the rows that nobody picks need not be computed at all.
  func withPickedRowsOnly(_ kind: RowPick.Kind) throws -> Graph {
    var picker = RowPicker(self, kind)
    for value in values { try picker.rewrite(value) }
    return picker.rewriter.finish()
  }
}

/// Rebuilds a graph with picks of rows before the row-wise operations that they come after.
private struct RowPicker {
  var rewriter: GraphRewriter
  private let kind: RowPick.Kind
  /// For each value, the pick of its rows that is all that is needed of it, or nil where it is needed as a whole.
  private let picks: [RowPick?]
  /// What has been built of the picked rows of values of the source.
  private var picked: [ValueID: ValueID] = [:]

  init(_ graph: Graph, _ kind: RowPick.Kind) {
    self.kind = kind
    rewriter = GraphRewriter(graph)
    picks = RowPicker.profitable(RowPicker.picks(in: graph, kind), in: graph, kind)
  }

  mutating func rewrite(_ value: ValueID) throws {
    // Values of which only rows are needed are built where the rows are picked, since the indices may be known only there.
    guard picks[value.index] == nil else { return }
    let node = rewriter.source[value]
    if let operand = node.operands.first, let pick = picks[operand.index],
      RowPick(kind, of: operand, by: value, in: rewriter.source) == pick
    {
      rewriter.replace(value, by: try rows(of: operand, pick))
    } else {
      rewriter.copy(value)
    }
  }

  /// The rows of `value`, which is computed for these rows only, in the shape of the pick's result.
  private mutating func rows(of value: ValueID, _ pick: RowPick) throws -> ValueID {
    var missing: Set<ValueID> = []
    var pending = [value]
    while let next = pending.popLast() {
      guard picks[next.index] == pick, picked[next] == nil, missing.insert(next).inserted else { continue }
      pending += rewriter.source[next].operands
    }
    for value in missing.sorted() { picked[value] = try computeRows(of: value, pick) }
    return try pickedRows(of: value, pick)
  }

  /// The operation of `value` on the picked rows of its operands.
  private mutating func computeRows(of value: ValueID, _ pick: RowPick) throws -> ValueID {
    let node = rewriter.source[value]
    guard let operation = pick.operation(node.operation, of: node.type.shape) else {
      throw CompilationError("rows cannot be picked before '\(node.operation.name)'", at: node.location)
    }
    if case .broadcast = node.operation {
      return try rewriter.append(operation, [rowsBeforeBroadcast(node, pick)], like: node)
    }
    let rowOperands = node.rowOperands
    var operands = try rowOperands.map { try pickedRows(of: $0, pick) }
    operands += node.operands.dropFirst(rowOperands.count).map { rewriter[$0] }
    return try rewriter.append(operation, operands, like: node)
  }

  /// The picked rows of `value`, computed already or picked here.
  private mutating func pickedRows(of value: ValueID, _ pick: RowPick) throws -> ValueID {
    if let known = picked[value] { return known }
    return try append(pick, of: rewriter[value], like: rewriter.source[value])
  }

  /// The picked rows of what `node` repeats, or all of it where it is the same for every row.
  private mutating func rowsBeforeBroadcast(_ node: Node, _ pick: RowPick) throws -> ValueID {
    let (source, target) = (node.operands[0], node.type.shape)
    if let known = picked[source] { return known }
    guard rewriter.source.hasRows(source, of: node) else { return rewriter[source] }
    let shape = rewriter.source[source].type.shape
    let aligned = [Int](repeating: 1, count: target.rank - shape.rank) + shape.dimensions
    let samples = Shape([target[0]] + aligned.dropFirst())
    return try append(pick, of: rewriter.append(.broadcast(shape: samples), [rewriter[source]], like: node), like: node)
  }

  /// Picks rows of `value` of the result.
  private mutating func append(_ pick: RowPick, of value: ValueID, like node: Node) throws -> ValueID {
    let shape = rewriter.result[value].type.shape
    guard let target = pick.pickedShape(shape) else {
      throw CompilationError("\(shape) has no \(pick.positions) rows to pick from", at: node.location)
    }
    let width = shape.count / (shape[0] * pick.positions)
    let rows = try reshape(value, to: [shape[0], pick.positions, width], like: node)
    let result =
      switch pick.rows {
      case .indices(let indices): try rewriter.append(.gather, [rows, rewriter[indices]], like: node)
      case .range(let start): try rewriter.append(.slice(axis: 1, start: start, count: pick.count, step: 1), [rows], like: node)
      }
    return try reshape(result, to: target, like: node)
  }

  private mutating func reshape(_ value: ValueID, to shape: Shape, like node: Node) throws -> ValueID {
    rewriter.result[value].type.shape == shape ? value : try rewriter.append(.reshape(shape: shape), [value], like: node)
  }
}

// MARK: Analysis

extension RowPicker {
  /// For each value that nothing but one pick of its rows needs, directly or through row-wise operations, that pick.
  fileprivate static func picks(in graph: Graph, _ kind: RowPick.Kind) -> [RowPick?] {
    let users = graph.users()
    var picks = [RowPick?](repeating: nil, count: graph.nodes.count)
    let roots = Set(graph.roots)
    for value in graph.values.reversed() where !roots.contains(value) {
      let wanted = users[value.index].map { graph.pick(of: value, by: $0, picks, kind) }
      guard let first = wanted.first, let common = first, wanted.allSatisfy({ $0 == common }) else { continue }
      guard common.count < common.positions, graph.isRowWise(value, common) else { continue }
      picks[value.index] = common
    }
    return picks
  }

  /// `picks` without those by which picking early is more work than picking late.
  fileprivate static func profitable(_ picks: [RowPick?], in graph: Graph, _ kind: RowPick.Kind) -> [RowPick?] {
    let worthwhile = Set(picks.compactMap { $0 }).filter { saving($0, picks, in: graph, kind) > 0 }
    return picks.map { $0.flatMap { worthwhile.contains($0) ? $0 : nil } }
  }

  /// How many element operations picking early saves.
  private static func saving(_ pick: RowPick, _ picks: [RowPick?], in graph: Graph, _ kind: RowPick.Kind) -> Int {
    var saving = 0
    for value in graph.values {
      let node = graph[value]
      if let operand = node.operands.first, picks[operand.index] == pick, picks[value.index] == nil,
        RowPick(kind, of: operand, by: value, in: graph) == pick
      {
        saving += node.type.shape.count
      }
      guard picks[value.index] == pick else { continue }
      saving += graph.work(of: value) / pick.positions * (pick.positions - pick.count)
      for operand in node.rowOperands where picks[operand.index] != pick && graph.hasRows(operand, of: node) {
        saving -= node.type.shape[0] * graph[operand].type.shape.count / graph[operand].type.shape[0] / pick.positions * pick.count
      }
    }
    return saving
  }
}

extension Graph {
  /// The pick that is all that `user` needs of `value`, nil where it needs more.
  fileprivate func pick(of value: ValueID, by user: ValueID, _ picks: [RowPick?], _ kind: RowPick.Kind) -> RowPick? {
    if let own = RowPick(kind, of: value, by: user, in: self) { return own }
    let node = self[user]
    // A table that is the same for every sample cannot be picked from before it is repeated for each.
    guard let pick = picks[user.index], hasRows(value, of: node),
      node.operands.count(where: { $0 == value }) == node.rowOperands.count(where: { $0 == value }),
      self[value].type.shape[0] == node.type.shape[0]
    else { return nil }
    return pick
  }

  /// Whether `operand` has a row of its own for each row of `node`'s result.
  fileprivate func hasRows(_ operand: ValueID, of node: Node) -> Bool {
    guard case .broadcast(let target) = node.operation else { return true }
    let shape = self[operand].type.shape
    return shape.rank >= target.rank - 1 && shape[1 - (target.rank - shape.rank)] == target[1]
  }

  /// Whether each row of `value` depends on the operands' rows at the same index only.
  fileprivate func isRowWise(_ value: ValueID, _ pick: RowPick) -> Bool {
    let node = self[value]
    guard node.type.element == .float32, pick.operation(node.operation, of: node.type.shape) != nil else { return false }
    switch node.operation {
    case .broadcast, .constant: return true
    case .matmul where self[node.operands[1]].type.shape.rank != 2: return false
    default:
      return node.rowOperands.allSatisfy {
        let type = self[$0].type
        return type.element == .float32 && type.shape.rank > 0 && type.shape[0] == node.type.shape[0]
          && pick.rowAxes(of: type.shape) != nil
      }
    }
  }

  /// The element operations that `value` takes.
  fileprivate func work(of value: ValueID) -> Int {
    let node = self[value]
    let elements = node.type.shape.count
    return switch node.operation {
    case .matmul: elements * self[node.operands[0]].type.shape[-1]
    case .attention: 2 * elements * self[node.operands[1]].type.shape[1]
    case .reduce: self[node.operands[0]].type.shape.count
    case .broadcast, .constant, .slice, .reshape: 0
    default: elements
    }
  }
}

extension Node {
  /// The operands that have rows for the result's rows.
  fileprivate var rowOperands: [ValueID] {
    switch operation {
    case .matmul, .attention: Array(operands.prefix(1))
    default: operands
    }
  }
}
