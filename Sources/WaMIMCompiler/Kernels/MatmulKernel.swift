import WaMIMGraph

/// A matrix product, and what is done to each row of it while it is near.
///
/// A backend may copy pieces of both sides into the workspace, in the order in which they are multiplied.
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
  /// What both sides are of; sums are float32.
  public var factor: ElementType
  public var left: Matrix
  public var right: Matrix
  /// Where the product goes; of a product by blocks of rows it may be the workspace, which then holds one block at a time.
  public var result: Matrix
  /// Whether the product is added to what the result holds.
  public var accumulates: Bool
  /// Whether anyone but the epilogue wants the product.
  public var keepsProduct = true
  /// The argument that is workspace: what the epilogue keeps there, maybe a block of the result, and what the variant uses behind them.
  public var workspace: Int
  /// Where the sums of the left side's rows go, over all terms of the product, one for each row of the result: a bias's gradient beside that
  /// of its weight. Nil where nobody wants them.
  public var leftSums: Access?
  /// Runs over the same units after the product; its argument numbers are those of this kernel.
  public var epilogue: RowKernel?

  public init(
    partition: Partition, m: Int, n: Int, k: Int, factor: ElementType = .float32, left: Matrix, right: Matrix, result: Matrix,
    accumulates: Bool = false,
    workspace: Int,
    epilogue: RowKernel? = nil
  ) {
    self.partition = partition
    self.m = m
    self.n = n
    self.k = k
    self.factor = factor
    self.left = left
    self.right = right
    self.result = result
    self.workspace = workspace
    self.accumulates = accumulates
    self.epilogue = epilogue
  }
}
