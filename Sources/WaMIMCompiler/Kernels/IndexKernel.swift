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
  /// Rows that are added up by index.
  ///
  /// Arguments: the source; the indices i32, [samples, count], contiguous; the result f32, contiguous.
  case scatterAdd(ScatterKernel)
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

/// Zeros [rows, width], to which row `i` of the source is added at row `indices[i]`, for each of `count` rows of each of `samples`.
public struct ScatterKernel: Hashable, Sendable {
  public var samples: Int
  public var count: Int
  public var rows: Int
  public var width: Int
  /// Elements of the source before its first row, from one sample to the next, and from one row to the next.
  public var sourceOffset: Int
  public var sampleStride: Int
  public var rowStride: Int

  public init(samples: Int = 1, count: Int, rows: Int, width: Int, sourceOffset: Int, sampleStride: Int = 0, rowStride: Int) {
    (self.samples, self.count, self.rows, self.width) = (samples, count, rows, width)
    (self.sourceOffset, self.sampleStride, self.rowStride) = (sourceOffset, sampleStride, rowStride)
  }
}
