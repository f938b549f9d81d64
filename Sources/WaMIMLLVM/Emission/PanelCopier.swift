/// A function that copies a piece of a product's side, `void (source, target, kBlock)` or, for tiles, `void (source, target, rows)`.
struct PanelCopier: SharedFunction {
  /// What is copied: which side of a product, and how its elements lie.
  enum Piece {
    /// The right side's rows, whose elements lie together: `columns` of each.
    case rows(columns: Int)
    /// As many of the right side's columns, whose elements lie together.
    case columns(Int)
    /// The left side's columns, whose elements lie together, to `kBlock`: as tiles.
    case tiles(kBlock: Int)
  }

  let piece: Piece
  /// Elements from one row or column of the source to the next.
  let stride: Int
  let tiling: MatmulTiling

  var name: String {
    switch piece {
    case .rows(let columns): "pack_rows_\(columns)_\(stride)"
    case .columns(let columns): "pack_columns_\(columns)_\(stride)"
    case .tiles(let kBlock): "pack_tiles_\(kBlock)_\(stride)"
    }
  }

  func parameters(in builder: IRBuilder) -> [IRType] { [builder.floatPointer, builder.floatPointer, builder.int64] }

  func emit(_ function: Function, in builder: IRBuilder) {
    let start = builder.index(0)
    let (source, target) = (
      Address(base: function.parameter(0), index: start), Address(base: function.parameter(1), index: start)
    )
    switch piece {
    case .rows(let columns): copyRows(source, to: target, columns: columns, kBlock: function.parameter(2), in: builder)
    case .columns(let columns): transpose(source, to: target, columns: columns, kBlock: function.parameter(2), in: builder)
    case .tiles(let kBlock): copyTiles(source, to: target, kBlock: kBlock, rows: function.parameter(2), in: builder)
    }
  }

  // MARK: The right side

  private func copyRows(_ source: Address, to target: Address, columns: Int, kBlock: Value, in builder: IRBuilder) {
    let lanes = tiling.lanes
    let vectors = wholeVectors(columns)
    builder.loop(from: builder.index(0), to: kBlock) { row, _ in
      let from = builder.advance(source, by: builder.multiplyIntegers(row, builder.index(stride)))
      let to = builder.advance(target, by: builder.multiplyIntegers(row, builder.index(vectors * lanes)))
      for column in Swift.stride(from: 0, to: columns, by: lanes) {
        let count = min(lanes, columns - column)
        let value = builder.load(builder.float, builder.advance(from, by: column), count: count, lanes: lanes)
        builder.store(value, builder.advance(to, by: column))
      }
      return []
    }
  }

  private func transpose(_ source: Address, to target: Address, columns: Int, kBlock: Value, in builder: IRBuilder) {
    let lanes = tiling.lanes
    let width = wholeVectors(columns) * lanes
    for column in Swift.stride(from: 0, to: columns, by: lanes) {
      let count = min(lanes, columns - column)
      let (source, target) = (builder.advance(source, by: column * stride), builder.advance(target, by: column))
      let squares = builder.subtractIntegers(kBlock, builder.index(lanes - 1))
      let done = builder.loop(from: builder.index(0), to: squares, step: lanes, carrying: [builder.index(0)]) { row, _ in
        let from = builder.advance(source, by: row)
        let zero = builder.constant(0, lanes: lanes)
        let lines = (0..<lanes).map { line in
          line < count ? builder.load(builder.float, builder.advance(from, by: line * stride), lanes: lanes) : zero
        }
        let to = builder.advance(target, by: builder.multiplyIntegers(row, builder.index(width)))
        for (line, value) in builder.transposed(lines).enumerated() {
          builder.store(value, builder.advance(to, by: line * width))
        }
        return [builder.addIntegers(row, builder.index(lanes))]
      }
      builder.loop(from: done[0], to: kBlock) { row, _ in
        let from = builder.advance(source, by: row)
        let elements = (0..<count).map { builder.load(builder.float, builder.advance(from, by: $0 * stride)) }
        let value = elements.enumerated().reduce(builder.constant(0, lanes: lanes)) {
          builder.insert($1.element, into: $0, lane: $1.offset)
        }
        builder.store(value, builder.advance(target, by: builder.multiplyIntegers(row, builder.index(width))))
        return []
      }
    }
  }

  private func wholeVectors(_ columns: Int) -> Int { (columns + tiling.lanes - 1) / tiling.lanes }

  // MARK: The left side

  private func copyTiles(_ source: Address, to target: Address, kBlock: Int, rows: Value, in builder: IRBuilder) {
    let height = builder.index(tiling.tileRows)
    let tiles = builder.divideIntegers(rows, height)
    let full = builder.multiplyIntegers(tiles, height)
    let rest = builder.advance(target, by: builder.multiplyIntegers(tiles, builder.index(tiling.tileStride(kBlock: kBlock))))
    builder.loop(from: builder.index(0), to: builder.index(kBlock)) { column, _ in
      let from = builder.advance(source, by: builder.multiplyIntegers(column, builder.index(stride)))
      let within = builder.multiplyIntegers(column, height)
      builder.loop(from: builder.index(0), to: tiles) { tile, _ in
        let from = builder.advance(from, by: builder.multiplyIntegers(tile, height))
        let start = builder.multiplyIntegers(tile, builder.index(tiling.tileStride(kBlock: kBlock)))
        copyTile(from, to: builder.advance(builder.advance(target, by: start), by: within), in: builder)
        return []
      }
      builder.loop(from: full, to: rows) { row, _ in
        let address = builder.addIntegers(within, builder.subtractIntegers(row, full))
        builder.store(builder.load(builder.float, builder.advance(from, by: row)), builder.advance(rest, by: address))
        return []
      }
      return []
    }
  }

  /// Copies the rows of one tile in one column.
  private func copyTile(_ source: Address, to target: Address, in builder: IRBuilder) {
    var row = 0
    while row < tiling.tileRows {
      let lanes = 1 << (Int.bitWidth - 1 - min(tiling.tileRows - row, tiling.lanes).leadingZeroBitCount)
      builder.store(
        builder.load(builder.float, builder.advance(source, by: row), lanes: lanes), builder.advance(target, by: row))
      row += lanes
    }
  }
}
