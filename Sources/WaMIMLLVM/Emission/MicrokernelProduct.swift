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
  /// Whether both sides are pairs of bf16 numbers, 32 bits each.
  var multipliesPairs = false

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
    let panels = Panels(
      product: self, rows: rows, kBlock: kBlock, left: left, right: right, result: result)
    emitPanels(count: vectors / 2, vectors: 2, from: 0)
    emitPanels(count: vectors % 2, vectors: 1, from: vectors / 2 * 2 * builder.lanes)

    func emitPanels(count: Int, vectors: Int, from column: Int) {
      guard count > 0 else { return }
      let function = panels.tile(vectors: vectors, in: builder)
      builder.loop(count: count, step: vectors * builder.lanes) { panel, _ in
        panels.emit(function, column: builder.addIntegers(panel, builder.index(column)), in: builder)
        return []
      }
    }
  }

  /// Emits the product for as many columns as `count`, which is known only then, rounded up to vectors.
  ///
  /// - Requires: `columns` are as many as there can be.
  func emit(
    rows: Value, columns count: Value, kBlock: Value, left: MatrixView, right: MatrixView, result: MatrixView, in builder: IRBuilder
  ) {
    let panels = Panels(
      product: self, rows: rows, kBlock: kBlock, left: left, right: right, result: result)
    let (lanes, pair) = (builder.lanes, 2 * builder.lanes)
    func emitPanels(vectors: Int, from start: Value, to end: Value) {
      let function = panels.tile(vectors: vectors, in: builder)
      builder.loop(from: start, to: end, step: vectors * lanes) { column, _ in
        panels.emit(function, column: column, in: builder)
        return []
      }
    }
    // A panel of two vectors also where the second one begins behind the last column would be for nothing.
    let ahead = builder.addIntegers(count, builder.index(lanes - 1))
    let pairs = builder.multiplyIntegers(builder.divideIntegers(ahead, builder.index(pair)), builder.index(pair))
    if columns > lanes { emitPanels(vectors: 2, from: builder.index(0), to: pairs) }
    emitPanels(vectors: 1, from: columns > lanes ? pairs : builder.index(0), to: count)
  }

  /// What the panels of one product have in common.
  private struct Panels {
    let product: MicrokernelProduct
    let rows, kBlock: Value
    let left, right, result: MatrixView

    /// The function for a tile of `vectors` vectors a row.
    func tile(vectors: Int, in builder: IRBuilder) -> Function {
      builder.shared(
        Microkernel(
          rows: product.tileRows, columns: vectors * builder.lanes, multipliesPairs: product.multipliesPairs,
          leftRow: left.rowStride, leftColumn: left.columnStride,
          rightRow: right.rowStride, resultRow: result.rowStride, accumulates: product.accumulates))
    }

    /// Emits the tiles of the panel that begins at `column`.
    func emit(_ function: Function, column: Value, in builder: IRBuilder) {
      let right = builder.pointer(builder.advance(self.right.address, by: column))
      builder.loop(from: builder.index(0), to: rows, step: product.tileRows) { row, _ in
        let left = builder.advance(self.left.address, by: builder.multiplyIntegers(row, builder.index(self.left.rowStride)))
        let start = builder.multiplyIntegers(row, builder.index(self.result.rowStride))
        let result = builder.advance(builder.advance(self.result.address, by: start), by: column)
        builder.call(function, [builder.pointer(left), right, builder.pointer(result), kBlock])
        return []
      }
    }
  }
}
