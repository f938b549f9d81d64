import WaMIMGraph

/// Work on tables of indices, and rows moved by them; the units are samples.
public enum IndexKernel: Hashable, Sendable {
  /// For each number of a sample's `rows` rows of `width`, its rank in ascending order, equal ones in the order they stand in.
  ///
  /// Arguments: the numbers f32, the ranks i32; both contiguous.
  case rank(rows: Int, width: Int)
  /// The inverses of a sample's `rows` permutations of `width`.
  ///
  /// Arguments: the permutations i32, the inverses i32; both contiguous.
  case invertPermutation(rows: Int, width: Int)
  /// Zeros [rows, width], to which row `i` of the source is added at row `indices[i]`, for each of `count` rows.
  ///
  /// Arguments: the source f32, whose rows are `sourceStride` elements apart; the indices i32, contiguous; the result f32, contiguous.
  case scatterAdd(count: Int, rows: Int, width: Int, sourceOffset: Int, sourceStride: Int)
  /// The cells of a grid `side` times as fine that make up `count` cells of a grid, those of a cell in the order of `QuarterOrder`.
  ///
  /// Arguments: the cells i32, from `sourceOffset` on; the finer cells i32; both contiguous.
  case finerIndices(count: Int, grid: Int, side: Int, sourceOffset: Int)
  /// `count` tokens by windows: their order, the ends of the groups and their codes.
  ///
  /// Arguments: the tokens' cells i32, from `sourceOffset` on; the result i32 [3, count]; both contiguous; a workspace.
  case windowGroups(count: Int, WindowCut, sourceOffset: Int, workspace: Int)

  /// The kind's name in dumps and profiles.
  public var kind: String {
    switch self {
    case .rank: "rank"
    case .invertPermutation: "invert_permutation"
    case .scatterAdd: "scatter_add"
    case .finerIndices: "finer_indices"
    case .windowGroups: "window_groups"
    }
  }
}
