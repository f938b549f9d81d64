/// Where the copies of a product's sides lie in the workspace for AMX: two panels, then a tile of which the result has a piece only, then
/// rows.
struct AMXLayout {
  /// The kBlocks that the extent summed over is cut into.
  let kBlocks: [Int]
  /// Rows that there are at most.
  let mostRows: Int
  /// Rows of a block, at most: all that there can be, where the copies of so many fit.
  let blockRows: Int
  let loneTileOffset: Int
  let rowsOffset: Int
  /// Elements in all.
  let count: Int

  init(_ tiling: AMXTiling, k: Int, mostRows: Int) {
    let extent = AMXTiling.tileExtent
    kBlocks = AMXTiling.kBlocks(k: k)
    self.mostRows = mostRows
    blockRows = min(mostRows, tiling.rowLimit(kBlock: kBlocks[0]))
    let tileStride = tiling.tileStride(kBlock: kBlocks[0])
    loneTileOffset = AMXTiling.panelCopies * tileStride
    rowsOffset = loneTileOffset + extent * extent
    count = rowsOffset + (blockRows + extent - 1) / extent * tileStride
  }
}
