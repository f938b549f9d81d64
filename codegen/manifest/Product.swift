extension Manifest {
  /// A matrix product, of matrices that lie without gaps, as a library could make it too.
  public struct Product: Codable, Hashable, Sendable {
    /// The number of the kernel that makes it.
    public var kernel: Int
    /// The result's extents, what is summed over, and how many such products there are.
    public var rows: Int
    public var columns: Int
    public var terms: Int
    public var count: Int
    /// Whether a side lies in memory with rows and columns swapped.
    public var isLeftTransposed: Bool
    public var isRightTransposed: Bool
    /// What both sides are of, and the result.
    public var factor: ElementType
    public var result: ElementType

    public init(
      kernel: Int, rows: Int, columns: Int, terms: Int, count: Int, isLeftTransposed: Bool, isRightTransposed: Bool,
      factor: ElementType, result: ElementType
    ) {
      self.kernel = kernel
      self.rows = rows
      self.columns = columns
      self.terms = terms
      self.count = count
      self.isLeftTransposed = isLeftTransposed
      self.isRightTransposed = isRightTransposed
      self.factor = factor
      self.result = result
    }
  }
}
