import WaMIMCompiler

/// What of a product's sides is copied for vectors, and where the copies lie in the workspace.
struct PanelLayout {
  let tiling: MatmulTiling
  /// The kBlocks that the extent summed over is cut into.
  let kBlocks: [Int]
  /// Whether panels are copied that could be read where they lie.
  let copiesRight: Bool
  /// Whether all rows of the left side are copied.
  let copiesLeft: Bool
  /// Where the copy of the left side begins, behind that of a panel of the right side.
  let leftOffset: Int
  /// Elements in all.
  let count: Int

  /// - Parameters:
  ///   - expectedRows: About as many rows as the product has.
  ///   - mostRows: The rows that it has at most.
  init(_ matmul: MatmulKernel, expectedRows: Int, mostRows: Int, on instructions: InstructionSet) {
    func roundedUp(_ count: Int, to multiple: Int) -> Int { (count + multiple - 1) / multiple * multiple }
    tiling = MatmulTiling(instructions)
    kBlocks = tiling.kBlocks(k: matmul.k, rows: expectedRows)
    let (kBlock, lanes) = (kBlocks[0], tiling.lanes)
    let copiesAll = tiling.copiesRight(rows: expectedRows)
    copiesRight = copiesAll
    // A matrix whose elements lie in columns is copied as rows; so is a panel that ends within a vector.
    let copied = tiling.panels(columns: matmul.n).filter { copiesAll || matmul.right.liesInColumns || $0 % lanes > 0 }
    let panel = kBlock * roundedUp(copied.max() ?? 0, to: lanes)
    copiesLeft =
      matmul.left.liesInColumns && tiling.copiesLeft(columns: matmul.n, kBlock: kBlock, columnStride: matmul.left.rowStride)
    leftOffset = roundedUp(panel, to: 16)
    guard copiesLeft else {
      count = panel
      return
    }
    // The rows of the last tile lie as far apart as those of a whole one.
    let tiles = (mostRows + tiling.tileRows - 1) / tiling.tileRows
    count = leftOffset + (tiles - 1) * tiling.tileStride(kBlock: kBlock) + kBlock * tiling.tileRows
  }
}

extension MatmulKernel.Matrix {
  /// Whether the elements of a row do not lie together as the product takes it.
  fileprivate var liesInColumns: Bool { isTransposed && rowStride != 1 }
}
