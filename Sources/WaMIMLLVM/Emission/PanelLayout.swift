import WaMIMCompiler

/// What of a product's sides is copied for vectors, and where the copies lie in the workspace.
struct PanelLayout {
  let tiling: MatmulTiling
  let form: PanelForm
  /// The kBlocks that the steps of a sum are cut into.
  let kBlocks: [Int]
  /// Whether the last step of a sum is half of a pair.
  let endsWithHalf: Bool
  /// Whether panels are copied that could be read where they lie.
  let copiesRight: Bool
  /// Where the copy of the left side begins, behind that of a panel of the right side.
  let leftOffset: Int
  /// Elements in all.
  let count: Int
  private let n: Int
  private let left: MatmulKernel.Matrix

  /// How the left side is there when tiles read it.
  enum LeftSide {
    /// Where it lies.
    case inPlace
    /// Copied as tiles of one column after the other.
    case tiles
    /// Copied row by row, with so many elements from one row to the next.
    case rows(stride: Int)
  }

  /// - Parameters:
  ///   - expectedRows: About as many rows as the product has.
  ///   - mostRows: The rows that it has at most.
  init(_ matmul: MatmulKernel, expectedRows: Int, mostRows: Int, on instructions: InstructionSet) {
    func roundedUp(_ count: Int, to multiple: Int) -> Int { (count + multiple - 1) / multiple * multiple }
    tiling = MatmulTiling(instructions)
    form = PanelForm(matmul, on: instructions)
    endsWithHalf = !matmul.k.isMultiple(of: form.terms)
    kBlocks = tiling.kBlocks(k: form.steps(of: matmul.k), rows: expectedRows)
    (n, left) = (matmul.n, matmul.left)
    let (kBlock, lanes) = (kBlocks[0], tiling.lanes)
    let copiesAll = form != .float32 || tiling.copiesRight(rows: expectedRows)
    copiesRight = copiesAll
    // A matrix whose elements lie in columns is copied as rows; so is a panel that ends within a vector.
    let copied = tiling.panels(columns: matmul.n).filter { copiesAll || matmul.right.liesInColumns || $0 % lanes > 0 }
    let panel = kBlock * roundedUp(copied.max() ?? 0, to: lanes)
    leftOffset = roundedUp(panel, to: 16)
    switch PanelLayout.leftSide(left, form, tiling, columns: matmul.n, kBlock: kBlock) {
    case .inPlace: count = panel
    case .rows(let stride): count = leftOffset + mostRows * stride
    case .tiles:
      // The rows of the last tile lie as far apart as those of a whole one.
      let tiles = (mostRows + tiling.tileRows - 1) / tiling.tileRows
      count = leftOffset + (tiles - 1) * tiling.tileStride(kBlock: kBlock) + kBlock * tiling.tileRows
    }
  }

  /// How the left side is there during a kBlock.
  func leftSide(kBlock: Int) -> LeftSide { PanelLayout.leftSide(left, form, tiling, columns: n, kBlock: kBlock) }

  /// How a left side is there that `tiling` cuts.
  static func leftSide(
    _ left: MatmulKernel.Matrix, _ form: PanelForm, _ tiling: MatmulTiling, columns: Int, kBlock: Int
  ) -> LeftSide {
    guard left.liesInColumns else {
      // Rows a power of two apart would share few sets of the L1 cache.
      return form == .widened ? .rows(stride: kBlock + 16) : .inPlace
    }
    let copies = form != .float32 || tiling.copiesLeft(columns: columns, kBlock: kBlock, columnStride: left.rowStride)
    return copies ? .tiles : .inPlace
  }
}

extension MatmulKernel.Matrix {
  /// Whether the elements of a row do not lie together as the product takes it.
  fileprivate var liesInColumns: Bool { isTransposed && rowStride != 1 }
}
