/// How a square grid of tokens is cut into square windows, between which attention does not look.
///
/// With a shift the windows begin at `shift - window`, `shift`, `shift + window` and so on, in both directions: those at the border
/// are cut off by it. That is what Swin's cyclic shift with a mask between its regions amounts to (arXiv 2103.14030).
public struct WindowCut: Hashable, Sendable {
  /// Tokens along each side of the grid.
  public var grid: Int
  /// Tokens along each side of a window.
  public var window: Int
  public var shift: Int

  public init(grid: Int, window: Int, shift: Int = 0) {
    self.grid = grid
    self.window = window
    self.shift = shift
  }

  /// How many rows of a window lie in front of the grid, where it is shifted.
  public var lead: Int { (window - shift) % window }

  /// The windows along each side, those that the border cuts among them.
  public var windowsPerSide: Int { (grid + lead + window - 1) / window }

  /// The number of the window that the token at `cell` is in, the cells and the windows counted line by line.
  public func window(of cell: Int) -> Int {
    (cell / grid + lead) / window * windowsPerSide + (cell % grid + lead) / window
  }

  /// Where in its window the token at `cell` lies, as a row of the table of biases.
  ///
  /// The rows of the table for two tokens differ from its middle by the difference of their codes.
  public func code(of cell: Int) -> Int {
    (cell / grid + lead) % window * (2 * window - 1) + (cell % grid + lead) % window
  }
}

extension WindowCut {
  /// How many pairs of a query and a key the windows of a sample have on average, where `visible` tokens of the grid are visible, drawn
  /// by squares of `side` · `side` tokens.
  public func expectedPairs(visible: Int, side: Int) -> Int {
    let units = Double(grid / side * (grid / side))
    let drawn = Double(visible / (side * side))
    // What a pair needs is known line by line and column by column: squares of sums over one side.
    var (all, together) = (0, 0)
    for window in 0..<windowsPerSide {
      let rows = max(0, window * self.window - lead)..<min(grid, (window + 1) * self.window - lead)
      all += rows.count * rows.count
      for unit in rows.lowerBound / side...(rows.upperBound - 1) / side {
        let shared = rows.clamped(to: unit * side..<(unit + 1) * side).count
        together += shared * shared
      }
    }
    let (pairs, same) = (Double(all * all), Double(together * together))
    let other = units > 1 ? (drawn - 1) / (units - 1) : 0
    return Int((drawn / units * (same + (pairs - same) * other)).rounded())
  }
}

/// The order of a square's cells in which the four cells of each square of two by two follow each other, and so on for squares of those.
public enum QuarterOrder {
  /// The row and the column of cell `index` of a square; the square's side is a power of two.
  ///
  /// The four are those at (0, 0), (1, 0), (0, 1) and (1, 1), row first, the order of Swin's patch merging.
  public static func cell(_ index: Int) -> (row: Int, column: Int) {
    var (row, column, bit, rest) = (0, 0, 0, index)
    while rest > 0 {
      row |= (rest & 1) << bit
      column |= (rest >> 1 & 1) << bit
      rest >>= 2
      bit += 1
    }
    return (row, column)
  }
}
