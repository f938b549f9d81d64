import WaMIMCompiler

/// A matrix in memory that moves by fixed numbers of elements from row to row and from column to column.
struct MatrixView {
  var address: Address
  var rowStride: Int
  var columnStride = 1

  var transposed: MatrixView { MatrixView(address: address, rowStride: columnStride, columnStride: rowStride) }

  /// The elements from one row to the next where a row's lie together, else from one column to the next.
  var distantStride: Int { columnStride == 1 ? rowStride : columnStride }

  /// The same matrix from another row or column on.
  func moved(rows: Value? = nil, columns: Value? = nil, in builder: IRBuilder) -> MatrixView {
    var moved = self
    for (count, stride) in [(rows, rowStride), (columns, columnStride)] {
      guard let count else { continue }
      moved.address = builder.advance(moved.address, by: builder.multiplyIntegers(count, builder.index(stride)))
    }
    return moved
  }
}

/// A small matrix product computed tile by tile, each tile's sums in registers.
///
/// There are no remainders: rows are computed up to a whole number of tiles, columns up to whole vectors, and what lies beyond
/// the product's extents is neither used nor defined.
struct MicrokernelProduct {
  /// Rows of a tile.
  let tileRows: Int
  /// Columns of the result, rounded up to vectors.
  let columns: Int
  /// Whether the product is added to what the result holds.
  let accumulates: Bool

  /// The tile height that wastes least on a matrix of `rows` rows, higher tiles being more efficient.
  static func tileRows(for rows: Int, _ instructions: InstructionSet) -> Int {
    func cost(_ height: Int) -> Double { Double((rows + height - 1) / height * height) * (1 + 0.5 / Double(height)) }
    return instructions.attentionRows.min { cost($0) < cost($1) } ?? 1
  }

  /// Emits `result = left · right` for `rows` rows, a whole number of tiles, summing over `kBlock`.
  ///
  /// The rows of `right` and `result` are contiguous.
  func emit(rows: Value, kBlock: Value, left: MatrixView, right: MatrixView, result: MatrixView, in builder: IRBuilder) {
    let vectors = columns / builder.lanes
    emitPanels(count: vectors / 2, vectors: 2, from: 0)
    emitPanels(count: vectors % 2, vectors: 1, from: vectors / 2 * 2 * builder.lanes)

    func emitPanels(count: Int, vectors: Int, from column: Int) {
      guard count > 0 else { return }
      let tile = Microkernel(
        rows: tileRows, columns: vectors * builder.lanes, leftRow: left.rowStride, leftColumn: left.columnStride,
        rightRow: right.rowStride, resultRow: result.rowStride, accumulates: accumulates)
      let function = builder.shared(tile)
      builder.loop(count: count, step: vectors * builder.lanes) { panel, _ in
        let column = builder.addIntegers(panel, builder.index(column))
        let right = builder.pointer(builder.advance(right.address, by: column))
        builder.loop(from: builder.index(0), to: rows, step: tileRows) { row, _ in
          let left = builder.advance(left.address, by: builder.multiplyIntegers(row, builder.index(left.rowStride)))
          let start = builder.multiplyIntegers(row, builder.index(result.rowStride))
          let result = builder.advance(builder.advance(result.address, by: start), by: column)
          builder.call(function, [builder.pointer(left), right, builder.pointer(result), kBlock])
          return []
        }
        return []
      }
    }
  }
}
