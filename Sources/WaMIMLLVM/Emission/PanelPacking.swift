/// Functions that copy parts of a product's sides into the workspace, in the order in which tiles read them.
struct PanelPacking {
  let builder: IRBuilder
  let tiling: MatmulTiling

  /// Copies `columns` columns of the right side, as many as one panel has, as rows of whole vectors; what is beyond the columns is 0.
  func packRight(_ source: MatrixView, columns: Int, depth: Int, to target: Address) {
    let function = source.columnStride == 1 ? rowCopier(source.rowStride, columns) : transposer(source.columnStride, columns)
    builder.call(function, [builder.pointer(source.place), builder.pointer(target), builder.index(depth)])
  }

  /// Copies rows of the left side, whose columns lie together, as tiles of one column after the other.
  func packLeft(_ source: MatrixView, rows: Value, depth: Int, to target: Address) {
    let operands = [builder.pointer(source.place), builder.pointer(target), rows]
    builder.call(tileCopier(source.columnStride, depth), operands)
  }

  /// Elements from one tile of the copied left side to the next; a cache line more than needed, so that tiles share no sets.
  func tileStride(depth: Int) -> Int { depth * tiling.tileRows + 16 }

  private func wholeVectors(_ columns: Int) -> Int { (columns + tiling.lanes - 1) / tiling.lanes }

  // MARK: The right side

  /// `void (source, target, depth)` for rows that lie `stride` elements apart.
  private func rowCopier(_ stride: Int, _ columns: Int) -> Function {
    define("pack_rows_\(columns)_\(stride)") { source, target, depth in
      let lanes = tiling.lanes
      let vectors = wholeVectors(columns)
      builder.loop(from: builder.index(0), to: depth) { row, _ in
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
  }

  /// `void (source, target, depth)` for columns that lie `stride` elements apart.
  private func transposer(_ stride: Int, _ columns: Int) -> Function {
    define("pack_columns_\(columns)_\(stride)") { source, target, depth in
      let lanes = tiling.lanes
      let width = wholeVectors(columns) * lanes
      for column in Swift.stride(from: 0, to: columns, by: lanes) {
        let count = min(lanes, columns - column)
        let (source, target) = (builder.advance(source, by: column * stride), builder.advance(target, by: column))
        let squares = builder.subtractIntegers(depth, builder.index(lanes - 1))
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
        builder.loop(from: done[0], to: depth) { row, _ in
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
  }

  private func define(_ name: String, _ body: (_ source: Address, _ target: Address, _ last: Value) -> Void) -> Function {
    let parameters = [builder.floatPointer, builder.floatPointer, builder.int64]
    if builder.isDefined(name) { return builder.declare(name, parameters, returning: builder.void) }
    return builder.define(name, parameters, returning: builder.void, attributes: ["noinline"]) { function in
      let start = builder.index(0)
      body(
        Address(base: function.parameter(0), index: start), Address(base: function.parameter(1), index: start),
        function.parameter(2))
      builder.returnNothing()
    }
  }

  // MARK: The left side

  /// `void (source, target, rows)` for columns of `depth` that lie `stride` elements apart.
  private func tileCopier(_ stride: Int, _ depth: Int) -> Function {
    define("pack_tiles_\(depth)_\(stride)") { source, target, rows in
      let height = builder.index(tiling.tileRows)
      let tiles = builder.divideIntegers(rows, height)
      let full = builder.multiplyIntegers(tiles, height)
      let rest = builder.advance(target, by: builder.multiplyIntegers(tiles, builder.index(tileStride(depth: depth))))
      builder.loop(from: builder.index(0), to: builder.index(depth)) { column, _ in
        let from = builder.advance(source, by: builder.multiplyIntegers(column, builder.index(stride)))
        let within = builder.multiplyIntegers(column, height)
        builder.loop(from: builder.index(0), to: tiles) { tile, _ in
          let from = builder.advance(from, by: builder.multiplyIntegers(tile, height))
          let start = builder.multiplyIntegers(tile, builder.index(tileStride(depth: depth)))
          copy(from, to: builder.advance(builder.advance(target, by: start), by: within))
          return []
        }
        builder.loop(from: full, to: rows) { row, _ in
          let place = builder.addIntegers(within, builder.subtractIntegers(row, full))
          builder.store(builder.load(builder.float, builder.advance(from, by: row)), builder.advance(rest, by: place))
          return []
        }
        return []
      }
    }
  }

  /// Copies the rows of one tile in one column.
  private func copy(_ source: Address, to target: Address) {
    var row = 0
    while row < tiling.tileRows {
      let lanes = 1 << (Int.bitWidth - 1 - min(tiling.tileRows - row, tiling.lanes).leadingZeroBitCount)
      builder.store(
        builder.load(builder.float, builder.advance(source, by: row), lanes: lanes), builder.advance(target, by: row))
      row += lanes
    }
  }
}
