/// Where the copies of a product's sides lie in the workspace for AMX: two panels, then a tile that has no place in the result, then rows.
struct AMXLayout {
  /// The parts of the extent that is summed over.
  let depths: [Int]
  /// Rows that there are at most.
  let mostRows: Int
  /// Rows of a block, at most: all that there can be, where the copies of so many fit.
  let blockRows: Int
  let loneTileOffset: Int
  let rowsOffset: Int
  /// Elements in all.
  let count: Int

  init(k: Int, mostRows: Int) {
    let extent = MatrixUnitTiling.tileExtent
    depths = MatrixUnitTiling.depths(k: k)
    self.mostRows = mostRows
    blockRows = min(mostRows, MatrixUnitTiling.rowLimit(depth: depths[0]))
    let tileStride = MatrixUnitTiling.tileStride(depth: depths[0])
    loneTileOffset = MatrixUnitTiling.panelCopies * tileStride
    rowsOffset = loneTileOffset + extent * extent
    count = rowsOffset + (blockRows + extent - 1) / extent * tileStride
  }
}
