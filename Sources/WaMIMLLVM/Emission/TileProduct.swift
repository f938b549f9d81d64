import WaMIMCompiler

/// A matrix in memory that moves by fixed numbers of elements from row to row and from column to column.
struct MatrixView {
  var place: Address
  var rowStride: Int
  var columnStride = 1

  var transposed: MatrixView { MatrixView(place: place, rowStride: columnStride, columnStride: rowStride) }
}

/// A small matrix product computed tile by tile, each tile's sums in registers.
///
/// There are no remainders: rows are computed up to a whole number of tiles, columns up to whole vectors, and what lies beyond
/// the product's extents is neither used nor defined.
struct TileProduct {
  /// Rows of a tile.
  let tileRows: Int
  /// Columns of the result, rounded up to vectors.
  let columns: Int
  /// Whether the product is added to what the result holds.
  let accumulates: Bool

  /// The tile height that wastes least on a matrix of `rows` rows, higher tiles being more efficient.
  static func tileRows(for rows: Int, processor: TargetProcessor) -> Int {
    let candidates = processor.registerCount > 16 ? [12, 10, 8, 6] : [6, 5, 4]
    func cost(_ height: Int) -> Double { Double((rows + height - 1) / height * height) * (1 + 0.5 / Double(height)) }
    return candidates.min { cost($0) < cost($1) } ?? 4
  }

  /// Emits `result = left · right` for `rows` rows, a whole number of tiles, summing over `depth`.
  ///
  /// The rows of `right` and `result` are contiguous.
  func emit(rows: Value, depth: Value, left: MatrixView, right: MatrixView, result: MatrixView, in builder: IRBuilder) {
    let vectors = columns / builder.lanes
    emitPanels(count: vectors / 2, vectors: 2, from: 0)
    emitPanels(count: vectors % 2, vectors: 1, from: vectors / 2 * 2 * builder.lanes)

    func emitPanels(count: Int, vectors: Int, from column: Int) {
      guard count > 0 else { return }
      let tile = Tile(
        rows: tileRows, vectors: vectors, leftRow: left.rowStride, leftColumn: left.columnStride, rightRow: right.rowStride,
        resultRow: result.rowStride, accumulates: accumulates)
      let function = tile.define(in: builder)
      builder.loop(count: count, step: vectors * builder.lanes) { panel, _ in
        let column = builder.addIntegers(panel, builder.index(column))
        let right = builder.pointer(builder.advance(right.place, by: column))
        builder.loop(from: builder.index(0), to: rows, step: tileRows) { row, _ in
          let left = builder.advance(left.place, by: builder.multiplyIntegers(row, builder.index(left.rowStride)))
          let start = builder.multiplyIntegers(row, builder.index(result.rowStride))
          let result = builder.advance(builder.advance(result.place, by: start), by: column)
          builder.call(function, [builder.pointer(left), right, builder.pointer(result), depth])
          return []
        }
        return []
      }
    }
  }
}

/// A function that computes one tile of a product: `void (left, right, result, depth)`.
private struct Tile {
  let rows: Int
  let vectors: Int
  let leftRow: Int
  let leftColumn: Int
  let rightRow: Int
  let resultRow: Int
  let accumulates: Bool

  private var name: String {
    "tile_\(rows)x\(vectors)_\(leftRow)_\(leftColumn)_\(rightRow)_\(resultRow)\(accumulates ? "_add" : "")"
  }

  /// The function, defined the first time that a module asks for it.
  func define(in builder: IRBuilder) -> Function {
    let pointer = builder.floatPointer
    let parameters = [pointer, pointer, pointer, builder.int64]
    if builder.isDefined(name) { return builder.declare(name, parameters, returning: builder.void) }
    return builder.define(name, parameters, returning: builder.void, attributes: ["noinline"]) { function in
      emit(function, in: builder)
      builder.returnNothing()
    }
  }

  private func emit(_ function: Function, in builder: IRBuilder) {
    let start = builder.index(0)
    let (left, right, result) = (
      Address(base: function.parameter(0), index: start), Address(base: function.parameter(1), index: start),
      Address(base: function.parameter(2), index: start)
    )
    let lanes = builder.lanes
    let places = (0..<rows).flatMap { row in (0..<vectors).map { row * resultRow + $0 * lanes } }
    let initial = places.map { place in
      accumulates
        ? builder.load(builder.float, builder.advance(result, by: place), lanes: lanes)
        : builder.constant(0, lanes: lanes)
    }
    let sums = builder.loop(from: start, to: function.parameter(3), carrying: initial) { k, sums in
      step(at: k, sums: sums, left: left, right: right, in: builder)
    }
    for (place, sum) in zip(places, sums) { builder.store(sum, builder.advance(result, by: place)) }
  }

  /// Adds the products of one column of the left tile and one row of the right panel.
  private func step(at k: Value, sums: [Value], left: Address, right: Address, in builder: IRBuilder) -> [Value] {
    let lanes = builder.lanes
    let rightRow = builder.advance(right, by: builder.multiplyIntegers(k, builder.index(self.rightRow)))
    let factors = (0..<vectors).map { builder.load(builder.float, builder.advance(rightRow, by: $0 * lanes), lanes: lanes) }
    let leftColumn = builder.advance(left, by: builder.multiplyIntegers(k, builder.index(self.leftColumn)))
    return (0..<rows).flatMap { row in
      let element = builder.load(builder.float, builder.advance(leftColumn, by: row * leftRow))
      let factor = builder.splat(element, lanes: lanes)
      return (0..<vectors).map { builder.multiplyAdd(factor, factors[$0], sums[row * vectors + $0]) }
    }
  }
}
