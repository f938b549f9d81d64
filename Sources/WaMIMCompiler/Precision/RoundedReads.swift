import WaMIMGraph

/// Which values of a graph are rounded to bf16, as matmuls and attention read them.
///
/// Rounding goes back through movements to where the elements are computed, so that they are stored once, rounded. It stops where others
/// need the elements in float32. A product whose result the forward pass only needs for what other products read, as that before a GELU,
/// is rounded as well: it is what the backward pass keeps.
struct RoundedReads {
  /// The values that are rounded.
  private(set) var values: Set<ValueID> = []
  private let graph: Graph
  private let users: [[ValueID]]
  /// Whether nobody needs the value in float32: products read it, and sums of columns, which may as well sum what products read.
  private let isReadRoundedOnly: [Bool]
  /// Whether the forward pass needs the value only to compute what products read.
  private let leadsToProductsOnly: [Bool]

  init(_ graph: Graph) {
    self.graph = graph
    users = graph.users()
    isReadRoundedOnly = RoundedReads.readRoundedOnly(graph, users)
    leadsToProductsOnly = RoundedReads.leadingToProductsOnly(graph, users)
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

  /// Whether everyone takes `value` rounded: a product, with its bias, between which and the next one there is elementwise work alone.
  func isRoundedForAll(_ value: ValueID) -> Bool {
    let node = graph[value]
    guard node.region == .forward, leadsToProductsOnly[value.index], !values.contains(value) else { return false }
    switch node.operation {
    case .matmul: return !users[value.index].contains(where: graph.addsBias)
    default: return graph.addsBias(value)
    }
  }

  private mutating func mark(_ value: ValueID) {
    var pending = [value]
    while let next = pending.popLast() {
      guard values.insert(next).inserted, isMoved(next) else { continue }
      pending += graph[next].operands
    }
  }

  private static func leadingToProductsOnly(_ graph: Graph, _ users: [[ValueID]]) -> [Bool] {
    var result = [Bool](repeating: false, count: graph.nodes.count)
    let roots = Set(graph.roots)
    for value in graph.values.reversed() where graph[value].region == .forward && !roots.contains(value) {
      let readers = users[value.index].filter { graph[$0].region == .forward }
      result[value.index] =
        !readers.isEmpty
        && readers.allSatisfy { reader in
          let node = graph[reader]
          if node.roundedOperands.contains(value) { return true }
          return (node.operation.isElementwise || node.operation.isMovement) && result[reader.index]
        }
    }
    return result
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

  /// Whether `value` is a product with a bias added to each row.
  fileprivate func addsBias(_ value: ValueID) -> Bool {
    let node = self[value]
    guard node.operation == .binary(.add), case .matmul = self[node.operands[0]].operation else { return false }
    guard case .broadcast = self[node.operands[1]].operation else { return false }
    return isViewOfParameter(self[node.operands[1]].operands[0])
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
