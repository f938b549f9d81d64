import CLLVM

/// The panels of columns that a block of rows is multiplied with, one after the other, in a kBlock.
///
/// Each is copied before it is multiplied. Where AMX's functions can do that beside their products, a panel's tiles copy the panel
/// after it; else it is copied at once.
struct AMXPanels {
  let block: AMXRows
  /// The right side, from the kBlock's first term on.
  let right: MatrixView
  let kBlock: Int
  let accumulates: Bool

  private var builder: IRBuilder { block.builder }
  private var extent: Int { AMXTiling.tileExtent }

  /// About as many tiles as a panel has.
  private var likelyTiles: Int { max(1, block.product.expectedRows / extent) }

  /// Whether tiles copy the next panel: pairs of whole vectors, as they lie.
  fileprivate var copiesAhead: Bool {
    block.rows.isOneRun && right.columnStride == 1 && kBlock.isMultiple(of: AMXTiling.blockTerms)
      && block.product.n >= 2 * extent && likelyTiles > 1
  }

  /// What a tile prepares of a block's 32 terms or columns: so much that the likely tiles prepare all of it together, but a power of two,
  /// so that it belongs to one register. Tiles that come after those prepare nothing.
  fileprivate var preparedShare: Int {
    min(roundedUpToPower((extent + likelyTiles - 1) / likelyTiles), AMXRegister.rows)
  }

  /// Copies the first panel, where later ones are copied by tiles.
  func copyFirst() {
    if copiesAhead { block.copyColumns(of: right, count: extent, kBlock: kBlock, to: copy(at: builder.index(0))) }
  }

  /// Emits the panels of a group of columns, those that are as wide as a tile first.
  func emit(from start: Value, columns: Int) {
    builder.loop(count: columns / extent, step: extent) { column, _ in
      Panel(panels: self, column: builder.addIntegers(start, column), columns: extent).emit()
      return []
    }
    let rest = columns % extent
    if rest > 0 {
      Panel(panels: self, column: builder.addIntegers(start, builder.index(columns - rest)), columns: rest).emit()
    }
  }

  /// Where the copy of the panel is that begins with a column.
  fileprivate func copy(at column: Value) -> Address {
    let workspace = block.product.workspace
    guard copiesAhead else { return workspace }
    let number = builder.remainder(
      builder.divideIntegers(column, builder.index(extent)), builder.index(AMXTiling.panelCopies))
    return builder.advance(
      workspace, by: builder.multiplyIntegers(number, builder.index(block.product.tiling.tileStride(kBlock: kBlock))))
  }
}

/// Columns that are as wide as a tile, or what is left of the columns.
private struct Panel {
  let panels: AMXPanels
  let column: Value
  let columns: Int

  private var block: AMXRows { panels.block }
  private var builder: IRBuilder { block.builder }
  private var extent: Int { AMXTiling.tileExtent }
  private var tiling: AMXTiling { block.product.tiling }
  private var tileStride: Int { tiling.tileStride(kBlock: panels.kBlock) }
  private var blocks: Int { tileStride / tiling.blockElements }
  private var width: Int { (columns + AMXRegister.columns - 1) / AMXRegister.columns }

  /// The right side from a number of columns after the panel's first on.
  private func source(after columns: Int) -> MatrixView {
    panels.right.moved(columns: builder.addIntegers(column, builder.index(columns)), in: builder)
  }

  func emit() {
    let tiles = builder.divideIntegers(block.count, builder.index(extent))
    if !copiesNext {
      block.copyColumns(of: source(after: 0), count: columns, kBlock: panels.kBlock, to: panels.copy(at: column))
    }
    if block.rows.isOneRun && columns.isMultiple(of: AMXRegister.columns) {
      emitWholeTiles(tiles)
    } else {
      builder.loop(from: builder.index(0), to: tiles) { tile, _ in
        emitLoneTile(tile, height: 2, row: product(tile, extent), count: builder.index(extent))
        return []
      }
    }
    emitLastTile(tiles, row: product(tiles, extent))
  }

  /// Tiles that have all their rows, of which the first ones prepare later panels.
  private func emitWholeTiles(_ tiles: Value) {
    let zero = builder.index(0)
    // No panel follows one that is narrower than a tile.
    guard columns == extent else { return emitTiles(from: zero, count: tiles, later: nil) }
    let shares = builder.index(extent / panels.preparedShare)
    let wanted = copiesNext ? builder.select(isBeforeWholePanel, shares, zero) : shares
    let preparing = builder.minimumInteger(tiles, wanted)
    emitTiles(from: zero, count: preparing, later: laterPanels)
    emitTiles(from: preparing, count: builder.subtractIntegers(tiles, preparing), later: nil)
    if copiesNext { copyNext(from: preparing, to: wanted) }
  }

  private func product(_ value: Value, _ factor: Int) -> Value { builder.multiplyIntegers(value, builder.index(factor)) }

  /// Whether tiles copy the next panel; they did this one, then.
  private var copiesNext: Bool { panels.copiesAhead && columns == extent }

  /// Whether a panel follows that is as wide as a tile.
  private var isBeforeWholePanel: Value {
    builder.compareIntegers(LLVMIntSLE, builder.addIntegers(column, builder.index(2 * extent)), builder.index(block.product.n))
  }

  /// Copies all of the next panel, if fewer tiles than it has shares were there to do it.
  private func copyNext(from share: Value, to shares: Value) {
    builder.loop(from: share, to: shares, step: extent) { _, _ in
      let target = panels.copy(at: builder.addIntegers(column, builder.index(extent)))
      block.copyColumns(of: source(after: extent), count: extent, kBlock: panels.kBlock, to: target)
      return []
    }
  }

  private var laterPanels: AMXTiles.LaterPanels {
    AMXTiles.LaterPanels(
      share: panels.preparedShare, asksByColumn: panels.right.columnStride != 1, copiesNext: copiesNext)
  }

  /// Tiles one below the other, where the result has them.
  private func emitTiles(from first: Value, count: Value, later: AMXTiles.LaterPanels?) {
    let rows = builder.addIntegers(block.first, product(first, extent))
    let address = builder.advance(
      builder.advance(block.result.address, by: product(rows, block.result.rowStride)), by: column)
    let tiles = AMXTiles(
      tiling: tiling, height: 2, width: width, accumulates: panels.accumulates,
      rowsBelow: roundedUpToPower((extent + blocks - 1) / blocks),
      later: later)
    call(tiles, from: first, count: count, to: address, resultRow: block.result.rowStride)
  }

  /// A tile whose rows the block has in part, or none of them.
  private func emitLastTile(_ tile: Value, row: Value) {
    let (zero, half) = (builder.index(0), AMXRegister.rows)
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
    if panels.accumulates { copyLoneTile(.fromResult, row: row, count: count) }
    let function = AMXTiles(tiling: tiling, height: height, width: width, accumulates: panels.accumulates)
    call(function, from: tile, count: builder.index(1), to: block.product.loneTile, resultRow: extent)
    copyLoneTile(.toResult, row: row, count: count)
  }

  private func copyLoneTile(_ direction: LoneTileCopier.Direction, row: Value, count: Value) {
    let rows = block.rows
    builder.call(
      builder.shared(LoneTileCopier(direction: direction, columns: columns, hasRuns: !rows.isOneRun)),
      [block.product.loneTile, builder.advance(block.result.address, by: column)].map(builder.pointer)
        + [builder.addIntegers(block.first, row), count, builder.index(block.result.rowStride)]
        + [rows.rowsPerRun, builder.index(rows.resultStride)])
  }

  private func call(_ function: AMXTiles, from first: Value, count: Value, to address: Address, resultRow: Int) {
    let left = builder.advance(block.product.rowsCopy, by: product(first, tileStride))
    var operands = [left, panels.copy(at: column), address].map(builder.pointer)
    operands += [builder.index(blocks), builder.index(resultRow), count]
    if let later = function.later {
      let next = source(after: extent)
      let requested = later.copiesNext ? source(after: 2 * extent) : next
      operands += [builder.pointer(requested.address), builder.index(requested.distantStride)]
      if later.copiesNext {
        let target = panels.copy(at: builder.addIntegers(column, builder.index(extent)))
        operands += [builder.pointer(next.address), builder.index(next.rowStride), builder.pointer(target)]
      }
    }
    builder.call(builder.shared(function), operands)
  }
}

/// The least power of two that is no less; there are few tiles' functions then.
private func roundedUpToPower(_ count: Int) -> Int { count <= 1 ? 1 : 2 * roundedUpToPower((count + 1) / 2) }
