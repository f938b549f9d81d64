import WaMIMGraph

/// How the tokens of a stage are grouped by windows, with zeros behind a grid that windows do not tile.
///
/// Zeros come in after the norm and before windows are shifted, as in mmsegmentation; timm shifts first.
struct StageWindows {
  let grid: Int
  /// Tokens along each side of a window.
  let window: Int
  /// The tokens' cells of the stage's grid, i32 [batch, tokens]; all of them where windows do not tile the grid.
  let cells: Tensor

  init(grid: Int, window: Int, cells: Tensor) {
    self.grid = grid
    self.window = min(window, grid)
    self.cells = cells
  }

  /// Tokens along each side of the least grid that windows tile.
  private var tiledGrid: Int { (grid + window - 1) / window * window }

  private var isTiled: Bool { tiledGrid == grid }

  /// The groups of a block: every second one has its windows shifted by half of one, where there are several.
  func groups(ofBlock block: Int) -> Tensor {
    let builder = cells.builder
    let shift = block % 2 == 1 && grid > window ? window / 2 : 0
    // Equal numbers are ranked in the order they stand in, which is line by line.
    let all = isTiled ? cells : builder.add(.rank, [builder.constant(0, [cells.shape[0], tiledGrid * tiledGrid])])
    return builder.add(.windowGroups(WindowCut(grid: tiledGrid, window: window, shift: shift)), [all])
  }

  /// Tokens in the order in which the stage's blocks have them: as they are, or line by line where there are zeros to add.
  func arranged(_ x: Tensor) -> Tensor {
    isTiled ? x : x.gathered(cells.builder.add(.invertPermutation, [cells]))
  }

  /// Tokens in the order of their cells again.
  func restored(_ x: Tensor) -> Tensor { isTiled ? x : x.gathered(cells) }

  /// The tokens of the tiled grid line by line, those behind the grid zero.
  func padded(_ x: Tensor) -> Tensor {
    guard !isTiled else { return x }
    let square = x.reshaped([x.shape[0], grid, grid, x.shape[2]])
    let padded = [1, 2].reduce(square) { x.builder.add(.pad(axis: $1, start: 0, extent: tiledGrid, step: 1), [$0]) }
    return padded.reshaped([x.shape[0], tiledGrid * tiledGrid, x.shape[2]])
  }

  /// The grid's own tokens of those of the tiled grid.
  func cropped(_ x: Tensor) -> Tensor {
    guard !isTiled else { return x }
    let square = x.reshaped([x.shape[0], tiledGrid, tiledGrid, x.shape[2]])
    let own = [1, 2].reduce(square) { $0.sliced($1, 0..<grid) }
    return own.reshaped([x.shape[0], grid * grid, x.shape[2]])
  }
}
