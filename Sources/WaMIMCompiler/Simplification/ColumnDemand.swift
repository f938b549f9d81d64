import WaMIMGraph

/// For each value of a graph, the columns of it that anyone needs.
struct ColumnDemand {
  /// For each value, the disjoint ranges of columns that are computed each on their own; nil where it is computed as a whole.
  private var ranges: [[Range<Int>]?]

  /// Finds out what the values of `graph` are needed for, from the last to the first.
  init(_ graph: Graph) {
    ranges = Array(repeating: nil, count: graph.nodes.count)
    let users = graph.users()
    let roots = Set(graph.roots)
    for value in graph.values.reversed() where !roots.contains(value) && graph.columnSources(of: graph[value]) != nil {
      guard let wanted = wanted(of: value, by: users[value.index], in: graph) else { continue }
      ranges[value.index] = computed(wanted, of: value, in: graph)
    }
  }

  /// The ranges of columns in which `value` is computed, nil where it is computed as a whole.
  subscript(value: ValueID) -> [Range<Int>]? { ranges[value.index] }

  /// The ranges that `users` need of `value`, each as it would be moved on its own; nil where someone needs all columns.
  private func wanted(of value: ValueID, by users: [ValueID], in graph: Graph) -> [Range<Int>]? {
    // What is only looked at in place may as well be looked at together.
    var (seen, copied): ([Range<Int>], [Range<Int>]) = ([], [])
    for user in users {
      let node = graph[user]
      if let range = node.operation.slicedColumns(of: graph[value].type.shape) {
        seen.append(range)
      } else if let own = ranges[user.index], graph.takesColumns(node, of: value) {
        if node.operation.copiesRows { copied += own } else { seen += own }
      } else {
        return nil
      }
    }
    return users.isEmpty ? nil : (seen.joined(touching: true) + copied).joined(touching: false)
  }

  /// The ranges in which `value` is computed where `wanted` are needed of it, nil where that is no gain.
  private func computed(_ wanted: [Range<Int>], of value: ValueID, in graph: Graph) -> [Range<Int>]? {
    guard let first = wanted.first, let last = wanted.last else { return nil }
    let node = graph[value]
    let (whole, hull) = (node.type.shape[-1], first.lowerBound..<last.upperBound)
    // What is computed from the same rows stays one piece of work; what is merely moved goes wherever it is needed.
    if node.operation.isMoved { return wanted == [0..<whole] ? nil : wanted }
    guard hull.count < whole else { return nil }
    // The gradient of a weight of which some columns are used has to be put among zeros: that takes rows enough to make up for it.
    if case .matmul = node.operation, node.type.shape.count / whole * (whole - hull.count) <= 2 * whole { return nil }
    return [hull]
  }
}

extension Graph {
  /// Whether columns of the result of `node` take no more than those columns of `value`, wherever it is an operand.
  fileprivate func takesColumns(_ node: Node, of value: ValueID) -> Bool {
    guard let sources = columnSources(of: node), let last = self[value].type.shape.lastAxis else { return false }
    return zip(node.operands, sources).allSatisfy { $0 != value || $1 == .indices(axis: last) }
  }
}

extension Operation {
  /// Whether the operation moves elements and computes nothing.
  fileprivate var isMoved: Bool {
    switch self {
    case .broadcast, .reshape, .transpose, .slice, .detach, .constant: true
    default: copiesRows
    }
  }

  /// Whether the operation moves rows to where they did not lie before.
  fileprivate var copiesRows: Bool {
    switch self {
    case .concatenate, .gather, .pad: true
    default: false
    }
  }
}

extension [Range<Int>] {
  /// The ranges in ascending order, those that overlap made one, and where `touching`, those that touch as well.
  fileprivate func joined(touching: Bool) -> [Range<Int>] {
    var result: [Range<Int>] = []
    for range in sorted(by: { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) }) {
      if let last = result.last, range.lowerBound < last.upperBound || touching && range.lowerBound == last.upperBound {
        result[result.count - 1] = last.lowerBound..<Swift.max(last.upperBound, range.upperBound)
      } else {
        result.append(range)
      }
    }
    return result
  }
}
