import WaMIMGraph

/// Where memory holds what outlives a schedule: parameters and states, inputs, tables of positions, and accumulators apart.
struct PersistentLayout {
  /// What a persistent array is, the same in every schedule of a program.
  enum Key: Hashable {
    case named(String)
    case positionTable(width: Int, grid: Int, classToken: Bool)
  }

  /// A range in one of the memories, by its start.
  struct Allocation: Hashable {
    var storage: Placement.Storage
    /// Bytes from the start of the storage.
    var offset: Int
  }

  /// A persistent array: the first node that stands for it, and where it lies.
  struct Array {
    var key: Key
    var node: Node
    var allocation: Allocation
  }

  /// The arrays, in the order they lie.
  private(set) var arrays: [Array] = []
  /// Bytes of the arena that they take, from its start on.
  private(set) var arenaBytes = 0
  /// Bytes of the accumulators, which a program that never adds up gradients has no use for.
  private(set) var accumulatorBytes = 0
  private var allocations: [Key: Allocation] = [:]

  /// Lays out what `graphs` use.
  init(_ graphs: [Graph]) {
    add(graphs)
  }

  /// Lays out what `graphs` use besides; in the arena from the byte `start` on, where that is not taken.
  mutating func add(_ graphs: [Graph], from start: Int = 0) {
    arenaBytes = max(arenaBytes, ArenaPlanner.aligned(start))
    for node in graphs.flatMap(\.nodes) {
      guard let key = PersistentLayout.key(of: node.operation), allocations[key] == nil else { continue }
      let allocation: Allocation
      if case .accumulator = node.operation {
        allocation = Allocation(storage: .accumulators, offset: accumulatorBytes)
        accumulatorBytes = ArenaPlanner.aligned(accumulatorBytes + node.type.byteCount)
      } else {
        allocation = Allocation(storage: .arena, offset: arenaBytes)
        arenaBytes = ArenaPlanner.aligned(arenaBytes + node.type.byteCount)
      }
      allocations[key] = allocation
      arrays.append(Array(key: key, node: node, allocation: allocation))
    }
  }

  /// The allocations of the values of `graph` that are persistent.
  func allocations(in graph: Graph) -> [ValueID: Allocation] {
    var result: [ValueID: Allocation] = [:]
    for value in graph.values {
      if let key = PersistentLayout.key(of: graph[value].operation), let allocation = allocations[key] {
        result[value] = allocation
      }
    }
    return result
  }

  private static func key(of operation: Operation) -> Key? {
    switch operation {
    case .input(let name, _, _), .parameter(let name, _, _, _), .state(let name, _, _, _), .accumulator(let name, _): .named(name)
    case .positionTable(let width, let grid, let classToken): .positionTable(width: width, grid: grid, classToken: classToken)
    default: nil
    }
  }
}
