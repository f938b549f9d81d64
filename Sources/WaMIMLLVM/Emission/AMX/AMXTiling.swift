import WaMIMGraph

/// How a product on AMX is cut: tiles of 32 rows by 32 columns, which fill four registers with sums, and kBlocks.
///
/// Both sides are copied, in blocks of 32 rows or columns by 32 terms. A float32 number is split into three of bf16: a block has its numbers'
/// first splits, then the second ones and the third ones, each as two registers. A bf16 number is its own and only split.
struct AMXTiling: Hashable {
  /// What the sides are of.
  let factor: ElementType

  private static let instructions = MatrixInstructions.amx

  /// Rows and columns of a tile: two registers each.
  static let tileExtent = 2 * instructions.rows

  /// bf16 numbers that a factor is split into.
  var splits: Int { factor == .bfloat16 ? 1 : Self.instructions.splits }

  /// The splits of the left and the right side that are multiplied in turn, each step with one of those before it.
  var products: [(left: Int, right: Int)] {
    factor == .bfloat16 ? [(0, 0)] : [(2, 0), (1, 0), (1, 1), (0, 1), (0, 2), (0, 0)]
  }

  /// The largest kBlock that is copied at a time.
  private static let kBlockLimit = 384

  /// Splits of the left side that are copied at a time, at most: most of an L2 cache.
  private static let copiedLimit = 3 * 512 * kBlockLimit

  /// Terms of the sums that a block has: a register's row holds pairs of terms, and those lie half a block apart.
  static let blockTerms = 2 * instructions.columns

  /// Elements of 32 bits of a block, and of each of its numbers' splits.
  var blockElements: Int { splits * Self.splitElements }
  static let splitElements = 2 * AMXRegister.elements

  /// The kBlocks that `k` is cut into, whole blocks but for the last one.
  static func kBlocks(k: Int) -> [Int] {
    let count = (k + kBlockLimit - 1) / kBlockLimit
    let kBlock = roundedUp((k + count - 1) / count, to: blockTerms)
    return stride(from: 0, to: k, by: kBlock).map { min(kBlock, k - $0) }
  }

  /// Elements of the copy of a tile's rows or columns.
  func tileStride(kBlock: Int) -> Int { Self.roundedUp(kBlock, to: Self.blockTerms) / Self.blockTerms * blockElements }

  /// Rows of the left side that are copied at a time: whole tiles.
  func rowLimit(kBlock: Int) -> Int {
    Self.copiedLimit / splits / Self.roundedUp(kBlock, to: Self.blockTerms) / Self.tileExtent * Self.tileExtent
  }

  /// Columns of a group, whole panels.
  static let groupColumns = MatmulTiling.usualGroupColumns / tileExtent * tileExtent

  /// Panels of columns that there are copies of: one is read while the next is made.
  static let panelCopies = 2

  private static func roundedUp(_ count: Int, to multiple: Int) -> Int { (count + multiple - 1) / multiple * multiple }
}
