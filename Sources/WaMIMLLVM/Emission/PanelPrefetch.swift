/// Elements that the tiles of a panel ask the memory for before they are read, each tile for some of them.
struct PanelPrefetch {
  private let pattern: Microkernel.Prefetch
  /// Where the first tile begins.
  private let address: Address
  /// Elements from where one tile begins to where the next one does.
  private let tileStep: Int
  /// How many tiles ask, the last ones of the panel, or nil where all do; those before repeat what the first of them asks for.
  private let tiles: Int?

  /// The next panel of a right side, which begins where `right` does.
  ///
  /// Rows are asked for late: what was asked for early would have left the L2 cache again before it is copied.
  static func nextPanel(_ right: MatrixView, columns: Int, kBlock: Int) -> PanelPrefetch {
    let steps = Microkernel.Prefetch.steps
    guard right.columnStride == 1 else {
      // One column for each tile.
      return PanelPrefetch(
        pattern: Microkernel.Prefetch(stride: 1, advance: steps), address: right.address, tileStep: right.columnStride,
        tiles: columns)
    }
    // A group of steps asks for one row, which may begin and end within a line. A tile has groups for twice its share of the rows,
    // so that every row is asked for a tile's time before the end.
    let pattern = Microkernel.Prefetch(stride: (columns + steps - 1) / steps + 1, advance: right.rowStride)
    let tiles = 2 * steps
    return PanelPrefetch(
      pattern: pattern, address: right.address, tileStep: (kBlock + tiles - 1) / tiles * right.rowStride, tiles: tiles)
  }

  /// The rows of the next tile of a left side that is read where it lies.
  static func nextTile(of left: MatrixView, tileRows: Int, in builder: IRBuilder) -> PanelPrefetch {
    let step = tileRows * left.rowStride
    return PanelPrefetch(
      pattern: Microkernel.Prefetch(stride: left.rowStride, advance: Microkernel.Prefetch.steps),
      address: builder.advance(left.address, by: step),
      tileStep: step, tiles: nil)
  }

  /// What will be copied of a left side, each tile's own rows.
  static func nextKBlock(of left: MatrixView, tileRows: Int) -> PanelPrefetch {
    let pattern = Microkernel.Prefetch(stride: left.columnStride, advance: Microkernel.Prefetch.steps * left.columnStride)
    return PanelPrefetch(pattern: pattern, address: left.address, tileStep: tileRows, tiles: nil)
  }

  /// What the tile with the number `tile` of `count` asks for.
  func request(of tile: Value, count: Value, in builder: IRBuilder) -> Microkernel.Request {
    var turn = tile
    if let tiles {
      let idle = builder.subtractIntegers(count, builder.minimumInteger(count, builder.index(tiles)))
      turn = builder.subtractIntegers(builder.maximumInteger(tile, idle), idle)
    }
    return Microkernel.Request(
      prefetch: pattern, address: builder.advance(address, by: builder.multiplyIntegers(turn, builder.index(tileStep))))
  }
}
