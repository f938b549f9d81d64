import WaMIMGraph

/// Nested loops around rows, and for each row a sequence of loops over its elements, so that the row stays in the L1 cache.
///
/// Layer norm is one: a loop that sums, a number, a loop that sums squares, a number, and a loop that writes.
public struct RowKernel: Hashable, Sendable {
  /// The extents of the loops around the row, outermost first; at least one, and the first is over the call's units.
  ///
  /// The number of units comes with the call; `outer[0]` says how many there are in all.
  public var outer: [Int]
  /// The number of elements in a row.
  public var width: Int
  public var stages: [RowStage]

  public init(outer: [Int], width: Int, stages: [RowStage]) {
    self.outer = outer
    self.width = width
    self.stages = stages
  }
}

/// One loop over a row, or one computation for a row as a whole.
public struct RowStage: Hashable, Sendable {
  /// What a stage is evaluated for.
  public enum Extent: String, Hashable, Sendable {
    /// Each element of the row; the last stride of an access is taken.
    case elements
    /// The row, once; the last stride of an access is 0.
    case row
  }

  /// A number that the stage leaves for later stages of the same row.
  public struct Result: Hashable, Sendable {
    public var slot: Int
    /// The index of an instruction.
    public var operand: Int
    /// How the elements combine; nil in a stage evaluated once a row.
    public var reduction: ReductionFunction?

    public init(slot: Int, operand: Int, reduction: ReductionFunction?) {
      self.slot = slot
      self.operand = operand
      self.reduction = reduction
    }
  }

  public var extent: Extent
  public var instructions: [Instruction]
  public var results: [Result]
  public var stores: [Store]

  public init(extent: Extent, instructions: [Instruction] = [], results: [Result] = [], stores: [Store] = []) {
    self.extent = extent
    self.instructions = instructions
    self.results = results
    self.stores = stores
  }
}

extension RowStage {
  /// What the stage reads.
  package var loads: [Access] {
    instructions.compactMap { if case .load(let access) = $0 { access } else { nil } }
  }

  /// Everything that the stage reads or writes.
  package var accesses: [Access] { loads + stores.map(\.access) }

  /// The stage with `transform` applied to each access.
  package func mappingAccesses(_ transform: (Access) -> Access) -> RowStage {
    var stage = self
    stage.instructions = instructions.map { instruction in
      if case .load(let access) = instruction { .load(transform(access)) } else { instruction }
    }
    stage.stores = stores.map { $0.mappingAccess(transform) }
    return stage
  }
}
