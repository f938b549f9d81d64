import WaMIMGraph

extension Graph {
  /// The graph with columns sliced before they are moved or computed, so that the others need not be.
  ///
  /// An operation that treats columns alike commutes with slicing them: of a product, some columns take only those columns of the
  /// weight. Attention's queries come from one product with keys and values, and are not always needed of the same tokens.
  func withNeededColumnsOnly() throws -> Graph {
    var hoister = ColumnHoister(self)
    for value in values { try hoister.rewrite(value) }
    return hoister.rewriter.finish()
  }
}

/// Rebuilds a graph with each value computed in the ranges of columns in which it is needed.
private struct ColumnHoister {
  var rewriter: GraphRewriter
  private let demand: ColumnDemand
  /// What has been built of values of the source, for each range in which they are computed.
  private var pieces: [ValueID: [(columns: Range<Int>, value: ValueID)]] = [:]

  init(_ graph: Graph) {
    rewriter = GraphRewriter(graph)
    demand = ColumnDemand(graph)
  }

  mutating func rewrite(_ value: ValueID) throws {
    let node = rewriter.source[value]
    if let ranges = demand[value] {
      pieces[value] = try ranges.map { (columns: $0, value: try compute($0, of: node)) }
    } else if let operand = node.operands.first, demand[operand] != nil,
      let range = node.operation.slicedColumns(of: rewriter.source[operand].type.shape)
    {
      rewriter.replace(value, by: try columns(range, of: operand, like: node))
    } else {
      rewriter.copy(value)
    }
  }

  /// The operation of `node` on what `range` of its columns takes of its operands.
  private mutating func compute(_ range: Range<Int>, of node: Node) throws -> ValueID {
    guard let sources = rewriter.source.columnSources(of: node) else {
      throw CompilationError("columns cannot be sliced before '\(node.operation.name)'", at: node.location)
    }
    let operands = try zip(node.operands, sources).map { operand, source in
      switch source {
      case .whole: rewriter[operand]
      case .indices(let axis) where axis == rewriter.source[operand].type.shape.lastAxis:
        try columns(range, of: operand, like: rewriter.source[operand])
      case .indices(let axis): try slice(range, of: rewriter[operand], axis, like: node)
      }
    }
    return try rewriter.append(node.operation.withColumns(range.count), operands, like: node)
  }

  /// Those columns of `value` that `range` says, out of the piece that contains them.
  private mutating func columns(_ range: Range<Int>, of value: ValueID, like node: Node) throws -> ValueID {
    let whole = rewriter.source[value].type.shape
    guard let ranges = pieces[value] else { return try slice(range, of: rewriter[value], whole.rank - 1, like: node) }
    guard let piece = ranges.first(where: { $0.columns.contains(range.lowerBound) && $0.columns.upperBound >= range.upperBound })
    else { throw CompilationError("columns \(range) have not been computed", at: node.location) }
    let start = piece.columns.lowerBound
    return try slice(range.lowerBound - start..<range.upperBound - start, of: piece.value, whole.rank - 1, like: node)
  }

  /// The indices `range` of `value` of the result along `axis`.
  private mutating func slice(_ range: Range<Int>, of value: ValueID, _ axis: Int, like node: Node) throws -> ValueID {
    guard range.count < rewriter.result[value].type.shape[axis] else { return value }
    return try rewriter.append(.slice(axis: axis, start: range.lowerBound, count: range.count, step: 1), [value], like: node)
  }
}
