import WaMIMGraph

/// Sums (or maxima) over loops that the result does not have: a bias's gradient over all rows, pooling over neighbours.
///
/// For each index of `outer` and each column, the expression is combined over all indices of `reduced`, in their order.
public struct ColumnKernel: Hashable, Sendable {
  /// What the call's units are.
  public enum Partition: Hashable, Sendable {
    /// The first loop of `outer`.
    case outer
    /// Blocks of this many columns, the last one possibly shorter; `outer` may be empty.
    case columns(block: Int)
  }

  /// One result: how an instruction's elements combine, and where they go.
  public struct Result: Hashable, Sendable {
    public var function: ReductionFunction
    /// The index of an instruction.
    public var operand: Int
    /// An access with one stride for each loop of `outer` and one for the column.
    public var access: Access

    public init(function: ReductionFunction, operand: Int, access: Access) {
      self.function = function
      self.operand = operand
      self.access = access
    }
  }

  public var partition: Partition
  /// The extents of the loops that the result keeps, except the columns.
  public var outer: [Int]
  /// The extents of the loops that are combined.
  public var reduced: [Int]
  /// The number of columns.
  public var width: Int
  /// Accesses have a stride for each loop of `outer`, then each of `reduced`, then the column.
  public var instructions: [Instruction]
  public var results: [Result]

  public init(
    partition: Partition, outer: [Int], reduced: [Int], width: Int, instructions: [Instruction], results: [Result]
  ) {
    self.partition = partition
    self.outer = outer
    self.reduced = reduced
    self.width = width
    self.instructions = instructions
    self.results = results
  }
}
