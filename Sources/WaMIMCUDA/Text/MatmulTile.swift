/// The tile of a result that a block of threads computes.
struct MatmulTile {
  var rows: Int
  var columns: Int
  /// Terms that lie in shared memory at a time.
  var depth: Int
  /// The share of the processor's arithmetic that a block reaches, beside the largest tile: smaller ones read more for each product.
  var efficiency: Double

  /// Warp groups that multiply 64 rows each; 0 where warps or threads have tiles of their own.
  var warpGroups = 0

  /// Tiles of float32 numbers.
  static let float32 = [
    MatmulTile(rows: 128, columns: 128, depth: 8, efficiency: 1), MatmulTile(rows: 64, columns: 64, depth: 16, efficiency: 0.75),
    MatmulTile(rows: 32, columns: 32, depth: 16, efficiency: 0.4),
  ]

  /// Tiles of bf16 numbers on tensor cores.
  static let bfloat16 = [
    MatmulTile(rows: 128, columns: 128, depth: 32, efficiency: 1), MatmulTile(rows: 128, columns: 64, depth: 32, efficiency: 0.85),
    MatmulTile(rows: 64, columns: 64, depth: 32, efficiency: 0.7), MatmulTile(rows: 32, columns: 32, depth: 32, efficiency: 0.35),
  ]

  /// Tiles of bf16 numbers by warp groups.
  static let hopper = [
    MatmulTile(rows: 128, columns: 256, depth: 64, efficiency: 1, warpGroups: 2),
    MatmulTile(rows: 128, columns: 192, depth: 64, efficiency: 0.95, warpGroups: 2),
    MatmulTile(rows: 128, columns: 128, depth: 64, efficiency: 0.85, warpGroups: 2),
    MatmulTile(rows: 128, columns: 64, depth: 64, efficiency: 0.65, warpGroups: 2),
    MatmulTile(rows: 64, columns: 64, depth: 64, efficiency: 0.45, warpGroups: 1),
  ]

  /// What products of single warps reach of the rate of warp groups.
  static let warpShare = 0.6

  /// The tile with which a launch ends first, by the waves of blocks that so many processors take.
  static func best(of tiles: [MatmulTile], rows: Int, columns: Int, products: Int, processors: Int) -> MatmulTile {
    func cost(_ tile: MatmulTile) -> Double {
      let blocks = rows.dividedUp(by: tile.rows) * columns.dividedUp(by: tile.columns) * products
      return Double(blocks.dividedUp(by: processors) * tile.rows * tile.columns) / tile.efficiency
    }
    return tiles.min { cost($0) < cost($1) } ?? tiles[0]
  }

  // MARK: Threads

  /// Threads along each side of a tile of float32 numbers.
  static let side = 16

  /// A thread's share of such a tile.
  var threadRows: Int { rows / Self.side }
  var threadColumns: Int { columns / Self.side }

  /// Warps side by side in a tile of bf16 numbers, which has eight of them.
  static let warpsAcross = 4

  /// A warp's share of such a tile.
  var warpRows: Int { rows / 2 }
  var warpColumns: Int { columns / Self.warpsAcross }
}

/// The sums that a thread has of a block's tile, and where they belong, as expressions of `i` and `j`.
struct ThreadShare {
  /// How many `i` and `j` there are.
  var rows: Int
  var columns: Int
  /// The row and the column in the tile, and the sum.
  var row: String
  var column: String
  var sum: String
}
