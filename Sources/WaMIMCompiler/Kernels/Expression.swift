import WaMIMGraph

/// An element of an argument that moves with the loops around it: `offset` plus each loop's index times its stride, in elements.
public struct Access: Hashable, Sendable {
  /// Which argument of the kernel.
  public var argument: Int
  public var offset: Int
  /// One stride for each loop, outermost first, the loop over the row or column last.
  public var strides: [Int]
  /// A row picked by a table of indices, or nil.
  public var pick: Pick?

  /// Adds `stride` times an integer read from a table.
  public struct Pick: Hashable, Sendable {
    /// The argument that holds the table, of integers.
    public var argument: Int
    public var offset: Int
    /// As the strides of an access; the last one is 0, so that the pick is the same along a row.
    public var strides: [Int]
    /// The elements from one row to the next in the array that is picked from.
    public var stride: Int

    public init(argument: Int, offset: Int, strides: [Int], stride: Int) {
      self.argument = argument
      self.offset = offset
      self.strides = strides
      self.stride = stride
    }
  }

  public init(argument: Int, offset: Int, strides: [Int], pick: Pick? = nil) {
    self.argument = argument
    self.offset = offset
    self.strides = strides
    self.pick = pick
  }
}

/// One step of a scalar computation; operands are the indices of earlier steps of the same list.
public enum Instruction: Hashable, Sendable {
  /// The element of an access, as float32.
  case load(Access)
  case constant(Float)
  /// A number of the row that an earlier stage has left in `slot`.
  case scalar(slot: Int)
  case unary(UnaryFunction, Int)
  case binary(BinaryFunction, Int, Int)
  /// The nearest bf16 number, as float32.
  case rounded(Int)
}

/// An element written; `operand` is the index of an instruction.
///
/// Numbers stored into an array of integers or of bf16 are rounded to the nearest one, the even one of two that are as near.
public struct Store: Hashable, Sendable {
  public var access: Access
  public var operand: Int
  /// Whether the access means one element for all rows of a unit, which is their sum; the unit's rows are added in their order.
  public var sumsRows: Bool

  public init(access: Access, operand: Int, sumsRows: Bool = false) {
    self.access = access
    self.operand = operand
    self.sumsRows = sumsRows
  }

  /// The store with another access.
  public func mappingAccess(_ transform: (Access) -> Access) -> Store {
    Store(access: transform(access), operand: operand, sumsRows: sumsRows)
  }
}
