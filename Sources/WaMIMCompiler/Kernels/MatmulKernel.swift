/// A matrix product, and what is done to each row of it while it is near.
///
/// A backend may copy parts of both sides into the workspace, in the order in which they are multiplied.
public struct MatmulKernel: Hashable, Sendable {
  /// A matrix in an argument, its elements contiguous along the last axis.
  public struct Matrix: Hashable, Sendable {
    public var argument: Int
    public var offset: Int
    /// The elements from one row to the next, as it lies in memory.
    public var rowStride: Int
    /// Whether the product takes it with rows and columns swapped; a result is never.
    public var isTransposed: Bool
    /// The elements from one matrix to the next of a batch of products; 0 where all share it.
    public var batchStride: Int

    public init(argument: Int, offset: Int, rowStride: Int, isTransposed: Bool, batchStride: Int = 0) {
      self.argument = argument
      self.offset = offset
      self.rowStride = rowStride
      self.isTransposed = isTransposed
      self.batchStride = batchStride
    }
  }

  /// What the call's units are.
  public enum Partition: Hashable, Sendable {
    /// Samples, each with `rows` rows of the result and of the left matrix: one product for all units of the call.
    case samples(rows: Int)
    /// Samples, each with products of its own: `batches` of them, all matrices move with the sample.
    case products(batches: Int)
    /// Blocks of this many rows of the result, the last one possibly shorter.
    case rows(block: Int)
  }

  public var partition: Partition
  /// Rows of the result in all, or of one product where each sample has its own.
  public var m: Int
  /// Columns of the result.
  public var n: Int
  /// The extent that is summed over.
  public var k: Int
  public var left: Matrix
  public var right: Matrix
  /// Where the product goes; of a product by blocks of rows it may be the workspace, which then holds one block at a time.
  public var result: Matrix
  /// Whether the product is added to what the result holds.
  public var accumulates: Bool
  /// The argument that is workspace: `workspaceCount` elements, and what the epilogue and a block of the result take behind them.
  public var workspace: Int
  /// Runs over the same units after the product; its argument numbers are those of this kernel.
  public var epilogue: RowKernel?

  public init(
    partition: Partition, m: Int, n: Int, k: Int, left: Matrix, right: Matrix, result: Matrix, accumulates: Bool = false,
    workspace: Int,
    epilogue: RowKernel? = nil
  ) {
    self.partition = partition
    self.m = m
    self.n = n
    self.k = k
    self.left = left
    self.right = right
    self.result = result
    self.workspace = workspace
    self.accumulates = accumulates
    self.epilogue = epilogue
  }

  /// Rows of samples that are taken together, enough for a product to be efficient.
  public static let panelRows = 384
  /// The largest part of `k` that is summed over before the next part's columns and rows are copied.
  public static let depthLimit = 1024
  /// Columns of the result that are computed side by side, at most.
  public static let panelLimit = 64
  /// Rows of a tile, at most.
  public static let tileLimit = 16

  /// The largest part of `k` that is copied at a time where a backend splits each number into smaller ones.
  public static let splitDepth = 384
  /// Numbers of the left side that are split at a time, at most.
  public static let splitLimit = 512 * splitDepth
  /// Rows, columns and terms of the blocks that split numbers lie in.
  public static let splitExtent = 32
  /// Parts of half a number's size that a number is split into.
  public static let splitParts = 3
  /// Panels of columns that there are copies of at a time.
  public static let splitPanels = 2

  /// Elements of workspace, enough for a panel of the right side and, of a left side that is transposed, all rows of one product; or
  /// for both sides as `splitCount` says.
  public static func workspaceCount(partition: Partition, m: Int, k: Int, copiesLeft: Bool) -> Int {
    let rows =
      switch partition {
      case .samples, .products: m
      case .rows(let block): block
      }
    // The last tile may be a row high, and takes as much as a whole one.
    let copied = copiesLeft ? rows + tileLimit - 1 : 0
    // Beside each row's elements there is room for a gap between tiles.
    return max((min(k, depthLimit) + 16) * (panelLimit + copied), splitCount(rows: rows, k: k))
  }

  /// Elements that the panels of columns, as many rows as are copied at a time and a tile of the result take where numbers are split.
  private static func splitCount(rows: Int, k: Int) -> Int {
    let extent = splitExtent
    func tiles(_ count: Int) -> Int { (count + extent - 1) / extent }
    let depth = tiles(min(k, splitDepth)) * extent
    let copied = min(tiles(rows), splitLimit / depth / extent)
    return (splitPanels + copied) * extent * depth * splitParts / 2 + extent * extent
  }
}
