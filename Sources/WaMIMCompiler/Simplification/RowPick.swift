import WaMIMGraph

/// Some of the rows of a value whose axes after the batch, one or several, count `positions`.
struct RowPick: Hashable {
  /// How rows are picked.
  enum Kind {
    /// By indices, which each sample has of its own.
    case gathered
    /// As a range, which is the same for all samples.
    case sliced
  }

  /// Which rows are picked.
  enum Rows: Hashable {
    /// Those at the indices [batch, count].
    case indices(ValueID)
    /// Those from this one on.
    case range(start: Int)
  }

  var rows: Rows
  /// How many rows there are to pick from.
  var positions: Int
  /// How many are picked.
  var count: Int
}

extension RowPick {
  /// The pick that `user` makes of `value` by its own operation, where that is one of `kind`.
  init?(_ kind: Kind, of value: ValueID, by user: ValueID, in graph: Graph) {
    let (node, shape) = (graph[user], graph[value].type.shape)
    guard node.operands[0] == value, node.operands.count(where: { $0 == value }) == 1, shape.rank >= 3 else { return nil }
    switch (kind, node.operation) {
    case (.gathered, .gather): rows = .indices(node.operands[1])
    case (.sliced, .slice(1, let start, _, 1)): rows = .range(start: start)
    default: return nil
    }
    positions = shape[1]
    count = node.type.shape[1]
  }

  /// How many axes after the batch make up the rows of a value of `shape`, or nil where no rows of elements can be made out.
  func rowAxes(of shape: Shape) -> Int? {
    var product = 1
    for axis in 1..<max(1, shape.rank - 1) {
      product *= shape[axis]
      if product == positions { return axis }
    }
    return nil
  }

  /// The shape of the picked rows of a value of `shape`: one axis in place of those that made up the rows.
  func pickedShape(_ shape: Shape) -> Shape? {
    rowAxes(of: shape).map { Shape([shape[0], count] + shape.dimensions.dropFirst($0 + 1)) }
  }

  /// `operation`, whose result has `shape`, on picked rows; nil where its result's rows depend on more than those of its operands.
  func operation(_ operation: Operation, of shape: Shape) -> Operation? {
    guard let axes = rowAxes(of: shape), let picked = pickedShape(shape) else { return nil }
    switch operation {
    case .unary, .binary, .detach: return operation
    case .constant(let value, _): return .constant(value: value, shape: picked)
    case .broadcast: return axes == 1 ? .broadcast(shape: picked) : nil
    case .reshape: return .reshape(shape: picked)
    case .matmul(let transposeLeft, _): return transposeLeft ? nil : operation
    case .attention: return axes == 1 ? operation : nil
    case .slice(let axis, let start, let count, let step):
      return axis > axes ? .slice(axis: axis - axes + 1, start: start, count: count, step: step) : nil
    case .concatenate(let axis): return axis > axes ? .concatenate(axis: axis - axes + 1) : nil
    case .pad(let axis, let start, let extent, let step):
      return axis > axes ? .pad(axis: axis - axes + 1, start: start, extent: extent, step: step) : nil
    case .reduce(let function, let reduced):
      return reduced.allSatisfy { $0 > axes } ? .reduce(function, axes: reduced.map { $0 - axes + 1 }) : nil
    case .transpose(let permutation):
      guard permutation.prefix(axes + 1).elementsEqual(0...axes) else { return nil }
      return .transpose(permutation: [0, 1] + permutation.dropFirst(axes + 1).map { $0 - axes + 1 })
    default: return nil
    }
  }
}
