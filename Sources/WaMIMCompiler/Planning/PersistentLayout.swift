import WaMIMGraph

/// Where the arena holds what lasts from step to step: parameters and states, inputs, tables of positions.
struct PersistentLayout {
  /// What a persistent array is, the same in every schedule of a program.
  enum Key: Hashable {
    case named(String)
    case positionTable(width: Int, grid: Int, classToken: Bool)
  }

  /// Bytes from the start of the arena.
  private(set) var offsets: [Key: Int] = [:]
  /// The first node that stands for each array, in the order they lie.
  private(set) var arrays: [(key: Key, node: Node)] = []
  private(set) var byteCount = 0

  /// Lays out what `graphs` use.
  init(_ graphs: [Graph]) {
    for node in graphs.flatMap(\.nodes) {
      guard let key = PersistentLayout.key(of: node.operation), offsets[key] == nil else { continue }
      offsets[key] = byteCount
      arrays.append((key, node))
      byteCount = ArenaPlanner.aligned(byteCount + node.type.byteCount)
    }
  }

  /// The offsets of the values of `graph` that are persistent.
  func places(in graph: Graph) -> [ValueID: Int] {
    var places: [ValueID: Int] = [:]
    for value in graph.values {
      if let key = PersistentLayout.key(of: graph[value].operation), let offset = offsets[key] { places[value] = offset }
    }
    return places
  }

  private static func key(of operation: Operation) -> Key? {
    switch operation {
    case .input(let name, _, _), .parameter(let name, _, _), .state(let name, _): .named(name)
    case .positionTable(let width, let grid, let classToken): .positionTable(width: width, grid: grid, classToken: classToken)
    default: nil
    }
  }
}
