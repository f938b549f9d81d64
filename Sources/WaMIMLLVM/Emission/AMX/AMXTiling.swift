import WaMIMCompiler

/// How a product on AMX is cut: tiles of 32 rows by 32 columns, which fill four registers with sums, and kBlocks.
///
/// Both sides are copied, since each number is split into three of bf16: in blocks of 32 rows or columns by 32 terms. A block has its
/// numbers' first splits, then the second ones and the third ones, each as two registers.
enum AMXTiling {
  private static let instructions = MatrixInstructions.amx

  /// Rows and columns of a tile: two registers each.
  static let tileExtent = 2 * instructions.rows

  /// bf16 numbers that a float32 one is split into.
  static let splits = instructions.splits

  /// The largest kBlock that is copied at a time.
  private static let kBlockLimit = 384

  /// Numbers of the left side that are split at a time, at most.
  private static let splitLimit = 512 * kBlockLimit

  /// Terms of the sums that a block has: a register's row holds pairs of terms, and those lie half a block apart.
  static let blockTerms = 2 * instructions.columns

  /// Elements of a block, and of each of its numbers' splits.
  static let blockElements = splits * splitElements
  static let splitElements = 2 * AMXRegister.elements

  /// The kBlocks that `k` is cut into, whole blocks but for the last one.
  static func kBlocks(k: Int) -> [Int] {
    let count = (k + kBlockLimit - 1) / kBlockLimit
    let kBlock = roundedUp((k + count - 1) / count, to: blockTerms)
    return stride(from: 0, to: k, by: kBlock).map { min(kBlock, k - $0) }
  }

  /// Elements of the copy of a tile's rows or columns.
  static func tileStride(kBlock: Int) -> Int { roundedUp(kBlock, to: blockTerms) / blockTerms * blockElements }

  /// Rows of the left side that are copied at a time: whole tiles.
  static func rowLimit(kBlock: Int) -> Int {
    splitLimit / roundedUp(kBlock, to: blockTerms) / tileExtent * tileExtent
  }

  /// Columns of a group, whole panels.
  static let groupColumns = MatmulTiling.usualGroupColumns / tileExtent * tileExtent

  /// Panels of columns that there are copies of: one is read while the next is made.
  static let panelCopies = 2

  private static func roundedUp(_ count: Int, to multiple: Int) -> Int { (count + multiple - 1) / multiple * multiple }
}
