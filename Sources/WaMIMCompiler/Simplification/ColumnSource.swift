import WaMIMGraph

/// What it takes of an operand to compute some columns, that is indices along the last axis, of an operation's result.
enum ColumnSource: Hashable {
  /// The same indices along this axis.
  case indices(axis: Int)
  /// All of it.
  case whole
}

extension Graph {
  /// What `node` takes of each operand to compute some columns of its result, nil where columns depend on each other.
  func columnSources(of node: Node) -> [ColumnSource]? {
    guard node.type.element == .float32, let last = node.type.shape.lastAxis else { return nil }
    let shapes = node.operands.map { self[$0].type.shape }
    let alike = shapes.map { $0.lastAxis.map { ColumnSource.indices(axis: $0) } ?? .whole }
    switch node.operation {
    case .unary, .binary, .detach, .constant: return alike
    case .broadcast: return shapes[0].lastAxis.map { shapes[0][$0] } == node.type.shape[last] ? alike : [.whole]
    case .reshape: return shapes[0].lastAxis.map { shapes[0][$0] } == node.type.shape[last] ? alike : nil
    case .transpose(let permutation): return permutation.last == last ? alike : nil
    case .slice(let axis, _, _, _), .pad(let axis, _, _, _), .concatenate(let axis): return axis < last ? alike : nil
    case .reduce(_, let axes): return axes.contains(last) ? nil : alike
    case .gather, .scatterAdd: return [alike[0], .whole]
    case .matmul(_, let transposeRight): return [.whole, .indices(axis: shapes[1].rank - (transposeRight ? 2 : 1))]
    case .input, .parameter, .state, .accumulator, .positionTable, .convert, .attention, .attentionGradient, .rank,
      .invertPermutation, .groupAttention, .groupAttentionGradient, .finerIndices, .windowGroups, .waveletAnalysis, .waveletAdjoint:
      return nil
    }
  }
}

extension Operation {
  /// The operation that computes `count` columns of what this one computes.
  func withColumns(_ count: Int) -> Operation {
    func narrowed(_ shape: Shape) -> Shape { Shape(shape.dimensions.dropLast() + [count]) }
    return switch self {
    case .constant(let value, let shape): .constant(value: value, shape: narrowed(shape))
    case .broadcast(let shape): .broadcast(shape: narrowed(shape))
    case .reshape(let shape): .reshape(shape: narrowed(shape))
    default: self
    }
  }

  /// The columns of its operand that a slice of neighbouring columns of `shape` takes, nil where it is none.
  func slicedColumns(of shape: Shape) -> Range<Int>? {
    guard case .slice(let axis, let start, let count, 1) = self, axis == shape.lastAxis else { return nil }
    return start..<start + count
  }
}

extension Shape {
  /// The number of the last axis, nil where there is none.
  var lastAxis: Int? { rank > 0 ? rank - 1 : nil }
}
