import WaMIMGraph

extension Simplifier {
  /// Reductions over nothing, of repeated elements, and of what can be applied to the result instead.
  mutating func simplifyReduction(_ node: Node) throws -> ValueID? {
    guard case .reduce(let function, let axes) = node.operation else { return nil }
    let x = node.operands[0]
    let effective = axes.filter { shape(x)[$0] != 1 }
    if effective.isEmpty { return x }
    if effective != axes { return try build(.reduce(function, axes: effective), [x], like: node) }
    if case .reduce(function, let inner) = operation(x) {
      return try build(.reduce(function, axes: Set(axes + inner).sorted()), [operand(x)], like: node)
    }
    if case .broadcast = operation(x), let value = try reduceRepeated(node, x, function, axes) { return value }
    return function == .sum ? try moveFactorsOutOfSum(node, x) : nil
  }

  /// The sum of equal elements is one of them times their number; their maximum is any of them.
  private mutating func reduceRepeated(_ node: Node, _ x: ValueID, _ function: ReductionFunction, _ axes: [Int]) throws -> ValueID?
  {
    let (source, target) = (shape(operand(x)), shape(x))
    let leading = target.rank - source.rank
    let repeated = axes.filter { $0 < leading || source[$0 - leading] == 1 }
    guard !repeated.isEmpty else { return nil }
    var smaller = target
    for axis in repeated { smaller[axis] = 1 }
    let factor = target.count / smaller.count
    let once = try build(.broadcast(shape: smaller), [operand(x)], like: node)
    let rest = axes.filter { !repeated.contains($0) }
    let reduced = rest.isEmpty ? once : try build(.reduce(function, axes: rest), [once], like: node)
    guard function == .sum else { return reduced }
    let count = try constant(Float(factor), shape(reduced), like: node)
    return try build(.binary(.multiply), [reduced, count], like: node)
  }

  private mutating func moveFactorsOutOfSum(_ node: Node, _ x: ValueID) throws -> ValueID? {
    switch operation(x) {
    case .unary(.negate):
      let total = try build(node.operation, [operand(x)], like: node)
      return try build(.unary(.negate), [total], like: node)
    case .binary(.multiply):
      guard let factor = constant(rewriter.result[x].operands[1]) else { return nil }
      let total = try build(node.operation, [operand(x)], like: node)
      return try build(.binary(.multiply), [total, constant(factor, shape(total), like: node)], like: node)
    default: return nil
    }
  }
}

extension Simplifier {
  /// Matmuls whose operands are transposed or repeated beforehand.
  mutating func simplifyContraction(_ node: Node) throws -> ValueID? {
    guard case .matmul(let transposeLeft, let transposeRight) = node.operation else { return nil }
    let (left, right) = (node.operands[0], node.operands[1])
    if let left = transposedMatrices(left) {
      return try build(.matmul(transposeLeft: !transposeLeft, transposeRight: transposeRight), [left, right], like: node)
    }
    if let right = transposedMatrices(right) {
      return try build(.matmul(transposeLeft: transposeLeft, transposeRight: !transposeRight), [left, right], like: node)
    }
    if case .broadcast = operation(right), shape(operand(right)).dimensions == Array(shape(right).dimensions.suffix(2)) {
      return try build(node.operation, [left, operand(right)], like: node)
    }
    return nil
  }

  /// What `value` is with the last two axes swapped, where it is computed as that.
  private func transposedMatrices(_ value: ValueID) -> ValueID? {
    guard case .transpose(let permutation) = operation(value), permutation.count >= 2 else { return nil }
    let axes = Array(permutation.indices)
    return permutation == axes.dropLast(2) + axes.suffix(2).reversed() ? operand(value) : nil
  }
}
