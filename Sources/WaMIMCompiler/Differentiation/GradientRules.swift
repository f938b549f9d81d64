import WaMIMGraph

extension Node {
  /// Whether the result's gradient says something about the operand at `index`.
  func passesGradient(to index: Int) -> Bool {
    switch operation {
    case .input, .parameter, .state, .accumulator, .constant, .positionTable: false
    case .convert, .detach, .rank, .invertPermutation, .finerIndices, .windowGroups, .binary(.atLeast): false
    case .gather, .scatterAdd: index == 0
    case .groupAttention: index < AttentionOperand.allCases.count
    case .unary, .binary, .broadcast, .reshape, .transpose, .slice, .pad, .concatenate, .reduce, .matmul, .attention,
      .attentionGradient, .groupAttentionGradient, .waveletAnalysis, .waveletAdjoint:
      true
    }
  }
}

/// What the gradient of an operation's result says about the gradients of its operands: one rule an operation.
struct GradientRule {
  var node: Node
  var operands: [Tensor]
  /// The operation's result.
  var result: Tensor
  /// The gradient of the loss for the result.
  var gradient: Tensor

  private var x: Tensor { operands[0] }
  private var builder: GraphBuilder { gradient.builder }

  /// The contribution to the gradient of the operand at `index`.
  ///
  /// - Throws: `GraphError` where the operation has no derivative.
  func contribution(to index: Int) throws -> Tensor {
    switch node.operation {
    case .unary(let function): unary(function)
    case .binary(let function): binary(function, index, operands[1])
    case .broadcast: gradient.summed(to: x.shape)
    case .reshape: gradient.reshaped(x.shape)
    case .transpose(let permutation): gradient.transposed(inverse(permutation))
    case .slice(let axis, let start, _, let step):
      builder.add(.pad(axis: axis, start: start, extent: x.shape[axis], step: step), [gradient])
    case .pad(let axis, let start, _, let step):
      builder.add(.slice(axis: axis, start: start, count: x.shape[axis], step: step), [gradient])
    case .concatenate(let axis): slice(index, along: axis)
    case .reduce(.sum, _): gradient.broadcast(to: x.shape)
    case .reduce(.maximum, let axes): maximum(axes)
    case .matmul(let transposeLeft, let transposeRight): matmul(index, operands[1], transposeLeft, transposeRight)
    case .attention(let heads):
      builder.add(.attentionGradient(heads: heads, operand: AttentionOperand.allCases[index]), operands + [gradient])
    case .groupAttention(let heads): groupAttention(heads, AttentionOperand.allCases[index])
    case .gather: builder.add(.scatterAdd(rows: x.shape[1]), [gradient, operands[1]])
    case .scatterAdd: gradient.gathered(operands[1].reshaped([x.shape[0], operands[1].shape.count / x.shape[0]])).reshaped(x.shape)
    case .waveletAnalysis(let wavelet): builder.add(.waveletAdjoint(wavelet), [gradient])
    case .waveletAdjoint(let wavelet): builder.add(.waveletAnalysis(wavelet), [gradient])
    case .attentionGradient, .groupAttentionGradient:
      throw GraphError("the gradient of attention cannot be differentiated once more: detach it", at: node.location)
    case .input, .parameter, .state, .accumulator, .constant, .positionTable, .convert, .detach, .rank, .invertPermutation,
      .finerIndices, .windowGroups:
      throw GraphError("no gradient flows through '\(node.operation.name)'", at: node.location)
    }
  }

  private func unary(_ function: UnaryFunction) -> Tensor {
    switch function {
    case .negate: -gradient
    case .exponential: gradient * result
    case .logarithm: gradient / x
    case .squareRoot: gradient * 0.5 / result
    case .reciprocalSquareRoot: gradient * (result * result * result * -0.5)
    case .errorFunction: gradient * ((x * x * -1).applying(.exponential) * (2 / Float.pi.squareRoot()))
    case .hyperbolicTangent: gradient * (builder.constant(1) - result * result)
    case .cosinePi: gradient * (x.applying(.sinePi) * Float(-Double.pi))
    case .sinePi: gradient * (x.applying(.cosinePi) * Float(Double.pi))
    }
  }

  private func binary(_ function: BinaryFunction, _ index: Int, _ y: Tensor) -> Tensor {
    switch function {
    case .add: gradient
    case .subtract: index == 0 ? gradient : -gradient
    case .multiply: index == 0 ? gradient * y : gradient * x
    case .divide: index == 0 ? gradient / y : -(gradient * result / y)
    // The side that was chosen takes it all, the left one where both are equal.
    case .maximum: gradient * choice(x.atLeast(y), index)
    case .minimum: gradient * choice(y.atLeast(x), index)
    case .atLeast: builder.constant(0, x.shape)
    }
  }

  /// 1 where the operand at `index` was chosen, given where the left one was.
  private func choice(_ left: Tensor, _ index: Int) -> Tensor {
    index == 0 ? left : builder.constant(1) - left
  }

  private func inverse(_ permutation: [Int]) -> [Int] {
    permutation.indices.sorted { permutation[$0] < permutation[$1] }
  }

  /// What lies in the gradient where the operand at `index` lies in a concatenation.
  private func slice(_ index: Int, along axis: Int) -> Tensor {
    let start = operands[..<index].reduce(0) { $0 + $1.shape[axis] }
    return gradient.sliced(axis, start..<start + operands[index].shape[axis])
  }

  private func groupAttention(_ heads: Int, _ operand: AttentionOperand) -> Tensor {
    let own = builder.add(.groupAttentionGradient(heads: heads, operand: operand), operands + [gradient])
    return operand == .bias ? own.sum([0]).reshaped(operands[3].shape) : own
  }

  /// The gradient shared equally among the elements that attain the maximum.
  private func maximum(_ axes: [Int]) -> Tensor {
    let attained = x.atLeast(result)
    return attained * (gradient / attained.sum(axes))
  }
}

// MARK: Matmul

extension GradientRule {
  private func matmul(_ index: Int, _ y: Tensor, _ transposeLeft: Bool, _ transposeRight: Bool) -> Tensor {
    switch (index, transposeLeft, transposeRight) {
    case (0, false, _): gradient.matmul(y, transposeRight: !transposeRight)
    case (0, true, _): repeated(y).matmul(gradient, transposeLeft: transposeRight, transposeRight: true)
    case (_, _, _) where y.shape.rank < x.shape.rank: sharedWeight(y, transposeLeft, transposeRight)
    case (_, _, false): x.matmul(gradient, transposeLeft: !transposeLeft)
    case (_, _, true): gradient.matmul(x, transposeLeft: true, transposeRight: transposeLeft)
    }
  }

  /// The right operand once for each matrix of the left one.
  private func repeated(_ y: Tensor) -> Tensor {
    y.broadcast(to: Shape(x.shape.dimensions.dropLast(2) + y.shape.dimensions.suffix(2)))
  }

  /// The gradient for a right operand that all matrices share: one product over the rows of all of them.
  private func sharedWeight(_ y: Tensor, _ transposeLeft: Bool, _ transposeRight: Bool) -> Tensor {
    let axes = Array(0..<x.shape.rank)
    let left = (transposeLeft ? x.transposed(axes.dropLast(2) + axes.suffix(2).reversed()) : x).flattenedRows()
    let right = gradient.flattenedRows()
    return transposeRight ? right.matmul(left, transposeLeft: true) : left.matmul(right, transposeLeft: true)
  }
}

extension Tensor {
  /// All rows of the last axis in one matrix.
  fileprivate func flattenedRows() -> Tensor {
    reshaped([shape.count / shape[-1], shape[-1]])
  }

  /// The sum over the axes along which `shape` is repeated to give this tensor's shape: the adjoint of broadcasting.
  fileprivate func summed(to shape: Shape) -> Tensor {
    let leading = self.shape.rank - shape.rank
    let repeated = (0..<self.shape.rank).filter { axis in
      axis < leading || (shape[axis - leading] == 1 && self.shape[axis] != 1)
    }
    return (repeated.isEmpty ? self : sum(repeated)).reshaped(shape)
  }
}
