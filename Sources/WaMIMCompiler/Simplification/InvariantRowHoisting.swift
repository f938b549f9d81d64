import WaMIMGraph

extension Graph {
  /// The graph with row-wise operations carried out on a table's rows where samples pick theirs from a table they share.
  ///
  /// What a decoder does to the tokens of hidden patches is the same for every sample until attention mixes tokens: a mask token
  /// at a position. The table's rows are computed once a step; its gradient is summed over the batch before it goes further back.
  func withInvariantRowsHoisted() throws -> Graph {
    var hoister = InvariantRowHoister(rewriter: GraphRewriter(self))
    for value in values { try hoister.rewrite(value) }
    return hoister.rewriter.finish()
  }
}

/// A value [batch, rows, width] as what it consists of along its rows.
private struct RowSegments {
  /// Some of the rows.
  enum Segment {
    /// Rows that differ from sample to sample, [batch, count, width].
    case samples(ValueID, count: Int)
    /// Rows that samples pick by indices [batch, count] from a table [positions, width].
    case picked(table: ValueID, indices: ValueID, count: Int)
  }

  var segments: [Segment]

  /// Whether `other` is cut alike, its tables picked from by the same indices.
  func isAligned(with other: RowSegments) -> Bool {
    segments.count == other.segments.count
      && zip(segments, other.segments).allSatisfy { pair in
        switch pair {
        case (.samples(_, let count), .samples(_, let other)): count == other
        case (.picked(_, let indices, _), .picked(_, let other, _)): indices == other
        default: false
        }
      }
  }
}

/// Rebuilds a graph with values in segments for as long as operations treat rows alike.
private struct InvariantRowHoister {
  var rewriter: GraphRewriter
  /// The values of the source that have been built in segments. They are put together where someone needs them whole.
  private var divided: [ValueID: RowSegments] = [:]

  init(rewriter: GraphRewriter) {
    self.rewriter = rewriter
  }

  mutating func rewrite(_ value: ValueID) throws {
    let node = rewriter.source[value]
    if let segments = try startingSegments(node) ?? operated(node) {
      divided[value] = segments
      // Whoever looks for the value in the graph finds it put together; what nobody looks for is dead code.
      if rewriter.source.roots.contains(value) { try assemble(value) }
      return
    }
    for operand in node.operands { try assemble(operand) }
    rewriter.copy(value)
  }

  /// Puts the segments of `value` together, where that has not been done.
  private mutating func assemble(_ value: ValueID) throws {
    guard !rewriter.hasCounterpart(value), let segments = divided[value] else { return }
    let node = rewriter.source[value]
    let pieces = try segments.segments.map { segment in
      switch segment {
      case .samples(let rows, _): return rows
      case .picked(let table, let indices, _):
        let positions = rewriter.result[table].type.shape
        let repeated = Shape([node.type.shape[0]] + positions.dimensions)
        let samples = try rewriter.append(.broadcast(shape: repeated), [table], like: node)
        return try rewriter.append(.gather, [samples, indices], like: node)
      }
    }
    rewriter.replace(value, by: pieces.count == 1 ? pieces[0] : try rewriter.append(.concatenate(axis: 1), pieces, like: node))
  }

  // MARK: Where segments come from

  /// The segments of a gather from a shared table, or of a concatenation of rows that come from one.
  private mutating func startingSegments(_ node: Node) throws -> RowSegments? {
    switch node.operation {
    case .gather: return try sharedTable(node)
    case .concatenate(axis: 1) where node.type.shape.rank == 3: return try joined(node)
    default: return nil
    }
  }

  private mutating func sharedTable(_ node: Node) throws -> RowSegments? {
    let source = rewriter.source
    guard case .broadcast(let shape) = source[node.operands[0]].operation, node.type.element == .float32 else { return nil }
    let table = source[node.operands[0]].operands[0]
    let (positions, width) = (shape[1], shape[2])
    // Rows that hardly anyone picks are not worth computing.
    guard source[table].type.shape.count == positions * width, positions < shape[0] * node.type.shape[1] else { return nil }
    try assemble(table)
    try assemble(node.operands[1])
    let rows = try reshape(rewriter[table], to: [positions, width], like: node)
    return RowSegments(segments: [.picked(table: rows, indices: rewriter[node.operands[1]], count: node.type.shape[1])])
  }

  private mutating func joined(_ node: Node) throws -> RowSegments? {
    guard node.operands.contains(where: { divided[$0] != nil }) else { return nil }
    var segments: [RowSegments.Segment] = []
    var samples: [ValueID] = []
    func rows(_ values: [ValueID]) -> Int { values.reduce(0) { $0 + rewriter.result[$1].type.shape[1] } }
    func closeSamples() throws {
      guard let first = samples.first else { return }
      let joint = samples.count == 1 ? first : try rewriter.append(.concatenate(axis: 1), samples, like: node)
      segments.append(.samples(joint, count: rows(samples)))
      samples = []
    }
    for operand in node.operands {
      guard let pieces = divided[operand] else {
        samples.append(rewriter[operand])
        continue
      }
      for piece in pieces.segments {
        if case .samples(let value, _) = piece {
          samples.append(value)
        } else {
          try closeSamples()
          segments.append(piece)
        }
      }
    }
    try closeSamples()
    return RowSegments(segments: segments)
  }

  // MARK: Operations on segments

  /// The segments of a row-wise operation's result, where an operand is in segments and the others allow it.
  private mutating func operated(_ node: Node) throws -> RowSegments? {
    guard node.type.shape.rank == 3, isRowWise(node), let leader = node.operands.first(where: { divided[$0] != nil }),
      let pattern = divided[leader]
    else { return nil }
    for operand in node.operands {
      if let segments = divided[operand] {
        guard segments.isAligned(with: pattern) else { return nil }
      } else if !isSharedByRows(operand, of: node) {
        return nil
      }
    }
    var segments: [RowSegments.Segment] = []
    for (index, segment) in pattern.segments.enumerated() {
      switch segment {
      case .samples(_, let count):
        let shape: Shape = [node.type.shape[0], count, node.type.shape[2]]
        segments.append(.samples(try apply(node, to: index, shape), count: count))
      case .picked(let table, let indices, let count):
        let shape: Shape = [rewriter.result[table].type.shape[0], node.type.shape[2]]
        segments.append(.picked(table: try apply(node, to: index, shape), indices: indices, count: count))
      }
    }
    return RowSegments(segments: segments)
  }

  /// Whether the operation treats all rows alike.
  private func isRowWise(_ node: Node) -> Bool {
    switch node.operation {
    case .unary, .binary, .detach, .broadcast: true
    case .matmul(let transposeLeft, _): !transposeLeft && rewriter.source[node.operands[1]].type.shape.rank == 2
    case .reduce(_, let axes): axes == [2]
    default: false
    }
  }

  /// Whether `operand` of `node` is the same for every row of every sample: a weight, a constant, or a vector repeated.
  private func isSharedByRows(_ operand: ValueID, of node: Node) -> Bool {
    let source = rewriter.source[operand]
    switch (node.operation, source.operation) {
    case (.matmul, _): return operand == node.operands[1] && operand != node.operands[0]
    case (_, .constant): return true
    case (_, .broadcast):
      let shape = rewriter.source[source.operands[0]].type.shape
      return source.type.shape.rank == 3 && shape.dimensions.dropLast().allSatisfy { $0 == 1 }
    default: return false
    }
  }

  /// The operation of `node` on one segment of its operands, with a result of `shape`.
  private mutating func apply(_ node: Node, to index: Int, _ shape: Shape) throws -> ValueID {
    let operands = try node.operands.map { operand in
      if let segments = divided[operand] {
        switch segments.segments[index] {
        case .samples(let value, _): return value
        case .picked(let table, _, _): return table
        }
      }
      return try shared(operand, of: node, shape)
    }
    switch node.operation {
    case .broadcast: return try rewriter.append(.broadcast(shape: shape), operands, like: node)
    case .reduce(let function, _): return try rewriter.append(.reduce(function, axes: [shape.rank - 1]), operands, like: node)
    default: return try rewriter.append(node.operation, operands, like: node)
    }
  }

  /// What all rows share of `operand`, as a segment of `shape` takes it.
  private mutating func shared(_ operand: ValueID, of node: Node, _ shape: Shape) throws -> ValueID {
    let source = rewriter.source[operand]
    switch (node.operation, source.operation) {
    case (.matmul, _): return rewriter[operand]
    case (_, .constant(let number, _)): return try rewriter.append(.constant(value: number, shape: shape), [], like: source)
    default:
      let vector = rewriter[source.operands[0]]
      let width = rewriter.result[vector].type.shape.count
      let row = try reshape(vector, to: [width], like: source)
      return try rewriter.append(.broadcast(shape: shape), [row], like: source)
    }
  }

  private mutating func reshape(_ value: ValueID, to shape: Shape, like node: Node) throws -> ValueID {
    rewriter.result[value].type.shape == shape ? value : try rewriter.append(.reshape(shape: shape), [value], like: node)
  }
}
