import WaMIMCompiler

/// How a product on the matrix unit is cut: tiles of 32 rows by 32 columns, which fill four registers with sums, and parts of the depth.
///
/// Both sides are copied, since their numbers are put together of parts: in blocks of 32 rows or columns by 32 terms. A block has its
/// numbers' first parts, then the second ones and the third ones, each as two registers.
enum MatrixUnitTiling {
  private static let instructions = MatrixInstructions.amx

  /// Rows and columns of a tile: two registers each.
  static let tileExtent = 2 * instructions.rows

  /// bf16 numbers that a float32 one is split into.
  static let splits = instructions.splits

  /// The largest part of the depth that is copied at a time.
  private static let depthLimit = 384

  /// Numbers of the left side that are split at a time, at most.
  private static let splitLimit = 512 * depthLimit

  /// Terms of the sums that a block has: a register's row holds pairs of terms, and those lie half a block apart.
  static let blockTerms = 2 * instructions.columns

  /// Elements of a block, and of each of its numbers' parts.
  static let blockElements = splits * partElements
  static let partElements = 2 * MatrixRegister.elements

  /// The depth of each part that `k` is cut into, whole blocks but for the last one.
  static func depths(k: Int) -> [Int] {
    let parts = (k + depthLimit - 1) / depthLimit
    let depth = roundedUp((k + parts - 1) / parts, to: blockTerms)
    return stride(from: 0, to: k, by: depth).map { min(depth, k - $0) }
  }

  /// Elements of the copy of a tile's rows or columns.
  static func tileStride(depth: Int) -> Int { roundedUp(depth, to: blockTerms) / blockTerms * blockElements }

  /// Rows of the left side that are copied at a time: whole tiles.
  static func rowLimit(depth: Int) -> Int {
    splitLimit / roundedUp(depth, to: blockTerms) / tileExtent * tileExtent
  }

  /// Columns of a group, whole panels.
  static let groupColumns = MatmulTiling.usualGroupColumns / tileExtent * tileExtent

  /// Panels of columns that there are copies of: one is read while the next is made.
  static let panelCopies = 2

  private static func roundedUp(_ count: Int, to multiple: Int) -> Int { (count + multiple - 1) / multiple * multiple }
}
