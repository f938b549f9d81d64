import WaMIMCompiler

/// What of a product's sides is copied for vectors, and where the copies lie in the workspace.
struct PanelLayout {
  let tiling: MatmulTiling
  /// The parts of the extent that is summed over.
  let depths: [Int]
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
    depths = tiling.depths(k: matmul.k, rows: expectedRows)
    let (depth, lanes) = (depths[0], tiling.lanes)
    let copiesAll = tiling.copiesRight(rows: expectedRows)
    copiesRight = copiesAll
    // A matrix whose elements lie in columns is copied as rows; so is a panel that ends within a vector.
    let copied = tiling.panels(columns: matmul.n).filter { copiesAll || matmul.right.liesInColumns || $0 % lanes > 0 }
    let panel = depth * roundedUp(copied.max() ?? 0, to: lanes)
    copiesLeft =
      matmul.left.liesInColumns && tiling.copiesLeft(columns: matmul.n, depth: depth, columnStride: matmul.left.rowStride)
    leftOffset = roundedUp(panel, to: 16)
    guard copiesLeft else {
      count = panel
      return
    }
    // The rows of the last tile lie as far apart as those of a whole one.
    let tiles = (mostRows + tiling.tileRows - 1) / tiling.tileRows
    count = leftOffset + (tiles - 1) * tiling.tileStride(depth: depth) + depth * tiling.tileRows
  }
}

extension MatmulKernel.Matrix {
  /// Whether the elements of a row do not lie together as the product takes it.
  fileprivate var liesInColumns: Bool { isTransposed && rowStride != 1 }
}
