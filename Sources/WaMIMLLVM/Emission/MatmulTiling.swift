import WaMIMCompiler

/// How a generated matrix product is cut: tiles whose sums fill the registers, panels of columns, and kBlocks.
///
/// The order in which an element's products are added depends on none of it.
struct MatmulTiling: Sendable {
  /// Rows of the result that vectors compute at a time where it is cut by rows: enough for copies of the right side to pay.
  static let mostBlockRows = 192

  /// The largest kBlock, which is summed over before the next one's columns and rows are copied.
  private static let kBlockLimit = 1024

  /// Columns whose panels are computed one after the other before an epilogue takes them, about: near enough to be in the cache.
  static let usualGroupColumns = 192

  let lanes: Int
  /// Rows of tiles, the highest first; each remainder is taken by the highest one that still fits.
  let tileHeights: [Int]
  /// Vectors side by side in the widest tile.
  let panelVectors: Int
  /// Elements of the left side that are read again and again for one panel of the right side after the other.
  ///
  /// A quarter more than the L2 cache holds: reading some from the third costs less than reading and writing sums once more.
  private let cachedElements: Int

  init(_ instructions: InstructionSet) {
    lanes = instructions.lanes
    (tileHeights, panelVectors) = (instructions.matmul.rows, instructions.matmul.vectors)
    cachedElements = instructions.l2Bytes / 4 * 5 / MemoryLayout<Float>.size
  }

  /// The rows of a tile wherever there are enough.
  var tileRows: Int { tileHeights.first ?? 1 }

  /// Elements from one tile of the copied left side to the next; a cache line more than needed, so that tiles share no sets.
  func tileStride(kBlock: Int) -> Int { kBlock * tileRows + 16 }

  /// Whether a left side whose rows don't lie together is copied before tiles read it.
  ///
  /// For one or two panels it isn't worth it, unless a kBlock has more pages than the processor keeps translations of: each tile that
  /// reads it where it lies touches all of them.
  func copiesLeft(columns: Int, kBlock: Int, columnStride: Int) -> Bool {
    let knownPages = 64
    let pageElements = 4096 / MemoryLayout<Float>.size
    return panelWidths(columns: columns).count > 2 || kBlock * columnStride > knownPages * pageElements
  }

  /// Whether a panel of a right side whose rows lie together is copied before tiles read it, when each column of tiles has about
  /// `rows` rows: not where a few tiles share it.
  func copiesRight(rows: Int) -> Bool { rows > 3 * tileRows }

  /// The kBlocks that `k` is cut into, for products of about `rows` rows.
  func kBlocks(k: Int, rows: Int) -> [Int] {
    let limit = max(256, min(MatmulTiling.kBlockLimit, cachedElements / max(rows, 1)))
    let count = (k + limit - 1) / limit
    let kBlock = ((k + count - 1) / count + 15) / 16 * 16
    return stride(from: 0, to: k, by: kBlock).map { min(kBlock, k - $0) }
  }

  /// Columns of a group, whole panels.
  var groupColumns: Int { max(1, MatmulTiling.usualGroupColumns / (panelVectors * lanes)) * panelVectors * lanes }

  /// The widths of panels that `columns` columns are cut into, the widest first.
  func panelWidths(columns: Int) -> [Int] {
    let vectors = (columns + lanes - 1) / lanes
    let count = (vectors + panelVectors - 1) / panelVectors
    var widths = (0..<count).map { (vectors / count + ($0 < vectors % count ? 1 : 0)) * lanes }
    widths[count - 1] -= vectors * lanes - columns
    return widths
  }

  /// The widths of all panels of `columns` columns, group after group.
  func panels(columns: Int) -> [Int] {
    stride(from: 0, to: columns, by: groupColumns).flatMap { panelWidths(columns: min(groupColumns, columns - $0)) }
  }

  /// The heights of the tiles that `rows` rows are cut into.
  func heights(rows: Int) -> [Int] {
    var (heights, rest) = ([Int](), rows)
    for height in tileHeights {
      heights += Array(repeating: height, count: rest / height)
      rest %= height
    }
    return heights
  }
}
