import WaMIMGraph

/// Which values of a graph matmuls and attention read, and so are rounded to bf16.
///
/// Rounding goes back through movements to where the elements are computed, so that they are stored once, rounded. It stops where others
/// need the elements in float32.
struct RoundedReads {
  /// The values that are rounded.
  private(set) var values: Set<ValueID> = []
  private let graph: Graph
  private let users: [[ValueID]]
  /// Whether nobody needs the value in float32: products read it, and sums of columns, which may as well sum what products read.
  private let isReadRoundedOnly: [Bool]

  init(_ graph: Graph) {
    self.graph = graph
    users = graph.users()
    isReadRoundedOnly = RoundedReads.readRoundedOnly(graph, users)
    for value in graph.values {
      for operand in graph[value].roundedOperands { mark(operand) }
    }
  }

  /// Whether the value is rounded by moving what was rounded before.
  func isMoved(_ value: ValueID) -> Bool {
    let node = graph[value]
    switch node.operation {
    case .reshape, .transpose, .detach: return true
    case .slice:
      // Rounding all of a value for a slice of it pays where the slices are all that is wanted.
      return graph.isViewOfParameter(node.operands[0])
        || users[node.operands[0].index].allSatisfy { if case .slice = graph[$0].operation { true } else { false } }
    case .concatenate, .pad: return isReadRoundedOnly[value.index]
    default: return false
    }
  }

  /// Whether `value` is a sum over columns that takes its operand rounded, as nobody else needs it otherwise.
  func sumsRounded(_ value: ValueID) -> Bool {
    let node = graph[value]
    return graph.isColumnSum(node) && values.contains(node.operands[0]) && isReadRoundedOnly[node.operands[0].index]
  }

  private mutating func mark(_ value: ValueID) {
    var pending = [value]
    while let next = pending.popLast() {
      guard values.insert(next).inserted, isMoved(next) else { continue }
      pending += graph[next].operands
    }
  }

  private static func readRoundedOnly(_ graph: Graph, _ users: [[ValueID]]) -> [Bool] {
    var result = [Bool](repeating: false, count: graph.nodes.count)
    let roots = Set(graph.roots)
    for value in graph.values.reversed() where !roots.contains(value) && !users[value.index].isEmpty {
      result[value.index] = users[value.index].allSatisfy { user in
        let node = graph[user]
        switch node.operation {
        case .reshape, .transpose, .slice, .detach, .concatenate, .pad: return result[user.index]
        case .reduce: return graph.isColumnSum(node)
        default: return node.operands.allSatisfy { $0 != value || node.roundedOperands.contains($0) }
        }
      }
    }
    return result
  }
}

extension Node {
  /// The operands that the operation reads as bf16: the sides of products.
  var roundedOperands: ArraySlice<ValueID> {
    switch operation {
    case .matmul, .attention, .attentionGradient: operands[...]
    case .groupAttention: operands.prefix(3)
    // Table and groups lie between what attention is of and the gradient of its result.
    case .groupAttentionGradient: operands.prefix(3) + operands.suffix(1)
    default: []
    }
  }
}

extension Graph {
  /// Whether a node sums rows, and leaves their columns.
  fileprivate func isColumnSum(_ node: Node) -> Bool {
    guard case .reduce(.sum, let axes) = node.operation else { return false }
    let rank = self[node.operands[0]].type.shape.rank
    return rank > 1 && !axes.contains(rank - 1)
  }

  /// Whether the value is a parameter, or moves one.
  fileprivate func isViewOfParameter(_ value: ValueID) -> Bool {
    let node = self[value]
    switch node.operation {
    case .parameter: return true
    case .reshape, .transpose, .slice, .detach: return isViewOfParameter(node.operands[0])
    default: return false
    }
  }
}
