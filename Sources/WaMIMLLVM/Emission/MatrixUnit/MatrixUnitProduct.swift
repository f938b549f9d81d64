import WaMIMCompiler

/// A matrix product on the processor's matrix unit, whose factors have 16 bits: each number is three of those.
///
/// A block of rows is copied in parts of the depth, and multiplied with one panel of columns after the other, which are copied for it.
/// What follows the product runs on a few panels' columns of all rows at a time, while those of the last block are near.
struct MatrixUnitProduct {
  let builder: IRBuilder
  /// Columns of the result.
  let n: Int
  /// Whether the product is added to what the result holds.
  let accumulates: Bool
  /// The parts of the extent that is summed over.
  let depths: [Int]
  /// Rows that there are at most.
  let mostRows: Int
  /// About as many rows as there are.
  let expectedRows: Int
  /// Where a panel's copy goes, then a tile that has no place in the result, then the rows' copy.
  let workspace: Address

  init(_ matmul: MatmulKernel, in emitter: KernelEmitter) {
    builder = emitter.builder
    n = matmul.n
    accumulates = matmul.accumulates
    depths = MatrixUnitTiling.depths(k: matmul.k)
    mostRows = matmul.mostRows
    expectedRows = matmul.expectedRows
    workspace = emitter.address(matmul.workspace)
  }

  /// Rows of a block, at most: all that there can be, where the copies of so many fit.
  var blockRows: Int { min(mostRows, MatrixUnitTiling.rowLimit(depth: depths[0])) }

  private var tileStride: Int { MatrixUnitTiling.tileStride(depth: depths[0]) }
  private var tileExtent: Int { MatrixUnitTiling.tileExtent }

  /// Elements of workspace that it takes.
  var workspaceCount: Int {
    let tiles = 1 + (blockRows + tileExtent - 1) / tileExtent
    return tiles * tileStride + tileExtent * tileExtent
  }

  fileprivate var loneTile: Address { builder.advance(workspace, by: tileStride) }
  fileprivate var rowsCopy: Address { builder.advance(loneTile, by: tileExtent * tileExtent) }

  /// Emits `result = left · right`, or adds to it.
  ///
  /// - Parameter epilogue: Emits what is done to a range of finished columns.
  func emit(
    _ rows: ProductRows, left: MatrixView, right: MatrixView, result: MatrixView, epilogue: (_ column: Value, _ count: Int) -> Void
  ) {
    builder.configureMatrixUnit()
    let all = builder.multiplyIntegers(rows.runs, rows.rowsPerRun)
    emitBlocks(of: all) { first, count, isLast in
      let block = RowBlock(product: self, rows: rows, left: left, right: right, result: result, first: first, count: count)
      block.emit { column, columns in
        builder.loop(from: builder.index(0), to: isLast) { _, _ in
          epilogue(column, columns)
          return []
        }
      }
    }
    builder.releaseMatrixUnit()
  }

  /// Blocks of about as many rows, whole tiles but for the last one; mostly there is one. `isLast` is 1 for the last one, else 0.
  private func emitBlocks(of all: Value, _ body: (_ first: Value, _ count: Value, _ isLast: Value) -> Void) {
    guard mostRows > blockRows else { return body(builder.index(0), all, builder.index(1)) }
    func quotient(_ value: Value, _ divisor: Value) -> Value {
      builder.divideIntegers(builder.addIntegers(value, builder.subtractIntegers(divisor, builder.index(1))), divisor)
    }
    let one = builder.index(1)
    let count = builder.maximumInteger(quotient(all, builder.index(blockRows)), one)
    let tiles = quotient(quotient(all, count), builder.index(tileExtent))
    let size = builder.multiplyIntegers(tiles, builder.index(tileExtent))
    builder.loop(from: builder.index(0), to: count) { block, _ in
      let first = builder.multiplyIntegers(block, size)
      let left = builder.subtractIntegers(builder.subtractIntegers(count, block), one)
      body(
        first, builder.minimumInteger(size, builder.subtractIntegers(all, first)),
        builder.subtractIntegers(one, builder.minimumInteger(left, one)))
      return []
    }
  }

  /// Runs `body` for each group of columns.
  fileprivate func forEachGroup(_ body: (_ column: Value, _ count: Int) -> Void) {
    let size = MatrixUnitTiling.groupColumns
    builder.loop(count: n / size, step: size) { column, _ in
      body(column, size)
      return []
    }
    if n % size > 0 { body(builder.index(n / size * size), n % size) }
  }
}

/// A block of a product's rows.
private struct RowBlock {
  let product: MatrixUnitProduct
  let rows: ProductRows
  let left: MatrixView
  let right: MatrixView
  let result: MatrixView
  /// The first row, and how many there are.
  let first: Value
  let count: Value

  private var builder: IRBuilder { product.builder }

  func emit(_ epilogue: (_ column: Value, _ count: Int) -> Void) {
    let depths = product.depths
    let (depth, last) = (depths[0], depths.count - 1)
    if last > 0 {
      emitPart(from: builder.index(0), depth: depth, accumulates: product.accumulates) { _, _ in }
      builder.loop(from: builder.index(depth), to: builder.index(last * depth), step: depth) { term, _ in
        emitPart(from: term, depth: depth, accumulates: true) { _, _ in }
        return []
      }
    }
    emitPart(
      from: builder.index(last * depth), depth: depths[last], accumulates: product.accumulates || last > 0, epilogue: epilogue)
  }

  /// A part of the depth, from a term on.
  private func emitPart(
    from term: Value, depth: Int, accumulates: Bool, epilogue: (_ column: Value, _ count: Int) -> Void
  ) {
    copyRows(from: term, depth: depth)
    product.forEachGroup { column, columns in
      emitPanels(from: column, columns: columns, term: term, depth: depth, accumulates: accumulates)
      epilogue(column, columns)
    }
  }

  private func copyRows(from term: Value, depth: Int) {
    let terms = left.moved(columns: term, in: builder)
    let hasRuns = !rows.isOneRun
    precondition(!hasRuns || left.columnStride == 1, "only rows that lie together come in runs")
    let source = hasRuns ? terms : terms.moved(rows: first, in: builder)
    let isContiguous = left.columnStride == 1
    copy(
      MatrixUnitCopier(rows: .lines, contiguous: isContiguous ? .terms : .lines, hasRuns: hasRuns), from: source,
      stride: left.distantStride, count: count, depth: depth, to: product.rowsCopy)
  }

  private func copyColumns(of right: MatrixView, count: Int, depth: Int) {
    let isContiguous = right.columnStride == 1
    copy(
      MatrixUnitCopier(rows: .terms, contiguous: isContiguous ? .lines : .terms), from: right,
      stride: right.distantStride, count: builder.index(count), depth: depth, to: product.workspace)
  }

  private func copy(
    _ copier: MatrixUnitCopier, from source: MatrixView, stride: Int, count: Value, depth: Int, to target: Address
  ) {
    builder.call(
      builder.shared(copier),
      [builder.pointer(source.place), builder.pointer(target), count, builder.index(depth), builder.index(stride)]
        + [first, rows.rowsPerRun, builder.index(rows.leftStride)])
  }

  /// A group's panels, those that are as wide as a tile first.
  private func emitPanels(from start: Value, columns: Int, term: Value, depth: Int, accumulates: Bool) {
    let extent = MatrixUnitTiling.tileExtent
    func panel(_ column: Value, _ width: Int) {
      let source = right.moved(rows: term, columns: column, in: builder)
      Panel(block: self, source: source, column: column, columns: width, depth: depth, accumulates: accumulates).emit()
    }
    builder.loop(count: columns / extent, step: extent) { column, _ in
      panel(builder.addIntegers(start, column), extent)
      return []
    }
    let rest = columns % extent
    if rest > 0 { panel(builder.addIntegers(start, builder.index(columns - rest)), rest) }
  }

  /// Columns that are as wide as a tile, or what is left of the columns.
  private struct Panel {
    let block: RowBlock
    /// The right side from its first column and the part's first term on.
    let source: MatrixView
    let column: Value
    let columns: Int
    let depth: Int
    let accumulates: Bool

    private var builder: IRBuilder { block.builder }
    private var tileStride: Int { MatrixUnitTiling.tileStride(depth: depth) }
    private var blocks: Int { tileStride / MatrixUnitTiling.blockElements }
    private var width: Int { (columns + MatrixRegister.columns - 1) / MatrixRegister.columns }

    func emit() {
      block.copyColumns(of: source, count: columns, depth: depth)
      let extent = builder.index(MatrixUnitTiling.tileExtent)
      let tiles = builder.divideIntegers(block.count, extent)
      builder.loop(from: builder.index(0), to: tiles) { tile, _ in
        emitWholeTile(tile, row: builder.multiplyIntegers(tile, extent))
        return []
      }
      emitLastTile(tiles, row: builder.multiplyIntegers(tiles, extent))
    }

    /// A tile that has all its rows.
    private func emitWholeTile(_ tile: Value, row: Value) {
      guard block.rows.isOneRun, columns.isMultiple(of: MatrixRegister.columns) else {
        return emitLoneTile(tile, height: 2, row: row, count: builder.index(MatrixUnitTiling.tileExtent))
      }
      let rows = builder.multiplyIntegers(builder.addIntegers(block.first, row), builder.index(block.result.rowStride))
      let place = builder.advance(builder.advance(block.result.place, by: rows), by: column)
      emitTile(
        tile, height: 2, resultRow: block.result.rowStride, accumulates: accumulates, to: place)
    }

    /// A tile whose rows the block has in part, or none of them.
    private func emitLastTile(_ tile: Value, row: Value) {
      let (zero, half) = (builder.index(0), MatrixRegister.rows)
      let count = builder.subtractIntegers(block.count, row)
      let high = builder.subtractIntegers(count, builder.index(half))
      let done = builder.loop(from: zero, to: high, step: 2 * half, carrying: [zero]) { _, _ in
        emitLoneTile(tile, height: 2, row: row, count: count)
        return [count]
      }
      builder.loop(from: done[0], to: count, step: half) { _, _ in
        emitLoneTile(tile, height: 1, row: row, count: count)
        return []
      }
    }

    /// A tile that is computed apart, and taken to the result as far as that goes.
    ///
    /// What it is added to is brought first: a row's sums are to be the same whichever tile the row is in.
    private func emitLoneTile(_ tile: Value, height: Int, row: Value, count: Value) {
      if accumulates { copyLoneTile(.fromResult, row: row, count: count) }
      emitTile(
        tile, height: height, resultRow: MatrixUnitTiling.tileExtent, accumulates: accumulates, to: block.product.loneTile)
      copyLoneTile(.toResult, row: row, count: count)
    }

    private func copyLoneTile(_ direction: LoneTileCopier.Direction, row: Value, count: Value) {
      let rows = block.rows
      builder.call(
        builder.shared(LoneTileCopier(direction: direction, columns: columns, hasRuns: !rows.isOneRun)),
        [block.product.loneTile, builder.advance(block.result.place, by: column)].map(builder.pointer)
          + [builder.addIntegers(block.first, row), count, builder.index(block.result.rowStride)]
          + [rows.rowsPerRun, builder.index(rows.resultStride)])
    }

    /// Calls the function of a tile.
    private func emitTile(_ tile: Value, height: Int, resultRow: Int, accumulates: Bool, to place: Address) {
      let left = builder.advance(block.product.rowsCopy, by: builder.multiplyIntegers(tile, builder.index(tileStride)))
      let requests = [nextPanel(for: tile), nextTile(below: place, resultRow: resultRow)]
      let function = MatrixUnitTile(height: height, width: width, accumulates: accumulates, requests: requests.map(\.count))
      builder.call(
        builder.shared(function),
        [left, block.product.workspace, place].map(builder.pointer) + [builder.index(blocks), builder.index(resultRow)]
          + requests.flatMap { [builder.pointer($0.place), builder.index($0.stride), builder.index($0.advance)] })
    }

    /// What a tile asks for: with each block of terms a few rows or columns.
    private struct Request {
      let place: Address
      let count: Int
      /// Elements from one row or column to the next, and from those for one block to those for the next.
      let stride: Int
      let advance: Int
    }

    /// A tile's part of the next panel of the right side.
    private func nextPanel(for tile: Value) -> Request {
      let extent = MatrixUnitTiling.tileExtent
      let tiles = max(1, block.product.expectedRows / extent)
      let count = (extent + tiles - 1) / tiles
      let stride = source.distantStride
      // Either a few rows for each block of each tile, or in each block as much of a few columns for the tile.
      let (step, advance) =
        source.columnStride == 1
        ? (count * blocks * stride, count * stride) : (count * stride, MatrixUnitTiling.blockTerms)
      let start = builder.advance(source.place, by: columns * source.columnStride)
      return Request(
        place: builder.advance(start, by: builder.multiplyIntegers(tile, builder.index(step))), count: count, stride: stride,
        advance: advance)
    }

    /// The result of the tile below.
    private func nextTile(below place: Address, resultRow: Int) -> Request {
      let extent = MatrixUnitTiling.tileExtent
      let count = (extent + blocks - 1) / blocks
      return Request(
        place: builder.advance(place, by: extent * resultRow), count: count, stride: resultRow, advance: count * resultRow)
    }
  }
}
