import WaMIMGraph

/// What the gradients of one attention have in common.
struct AttentionOperands: Hashable {
  /// Query, key and value, for attention within groups the biases and the groups, and the gradient of the result.
  var values: [ValueID]
  var heads: Int
}

extension Lowering {
  /// The call of one attention.
  func lowerAttention(_ value: ValueID, _ heads: Int) -> LoweredCall {
    let operands = graph[value].operands
    let shape = attentionShape(operands, heads)
    var arguments = ArgumentList(graph, units: graph[value].type.shape[0])
    let kernel = AttentionKernel(
      shape: shape, query: rows(operands[0], .read, &arguments), key: rows(operands[1], .read, &arguments),
      value: rows(operands[2], .read, &arguments), result: rows(value, .write, &arguments),
      workspace: arguments.workspace())
    let body = KernelBody.attention(kernel)
    return LoweredCall(
      kernel: Kernel(arguments: arguments.arguments, body: body), bindings: arguments.bindings, units: arguments.units,
      reads: Set(operands.map(clustering.base)), writes: [value], name: graph.callName(value),
      flops: body.productFlops(units: arguments.units), order: value.index, region: graph[value].region)
  }

  /// The call that computes all gradients of one attention that are wanted.
  func lowerAttentionGradient(_ operands: AttentionOperands, _ values: [ValueID]) -> LoweredCall {
    let shape = attentionShape(operands.values, operands.heads)
    var arguments = ArgumentList(graph, units: graph[operands.values[0]].type.shape[0])
    let inputs = operands.values.map { rows($0, .read, &arguments) }
    func result(_ operand: AttentionOperand) -> TokenRows? {
      let value = values.first { graph[$0].operation == .attentionGradient(heads: operands.heads, operand: operand) }
      return value.map { rows($0, .write, &arguments) }
    }
    let kernel = AttentionGradientKernel(
      shape: shape, query: inputs[0], key: inputs[1], value: inputs[2], gradient: inputs[3], queryGradient: result(.query),
      keyGradient: result(.key), valueGradient: result(.value), workspace: arguments.workspace())
    let body = KernelBody.attentionGradient(kernel)
    return LoweredCall(
      kernel: Kernel(arguments: arguments.arguments, body: body), bindings: arguments.bindings,
      units: arguments.units, reads: Set(operands.values.map(clustering.base)), writes: Set(values),
      name: graph.callName(values[0]), provenance: provenance(of: values), flops: body.productFlops(units: arguments.units),
      order: values.map(\.index).max() ?? 0,
      region: graph[values[0]].region)
  }

  private func attentionShape(_ operands: [ValueID], _ heads: Int) -> AttentionShape {
    let (query, key) = (graph[operands[0]].type.shape, graph[operands[1]].type.shape)
    return AttentionShape(heads: heads, headWidth: query[2] / heads, queryCount: query[1], keyCount: key[1])
  }

  /// The tokens of `value` as an argument that moves with the sample.
  func rows(_ value: ValueID, _ access: KernelArgument.Access, _ arguments: inout ArgumentList) -> TokenRows {
    let view = storage[value]
    let argument = arguments.number(of: view.root, unitStride: view.strides[0], access)
    return TokenRows(argument: argument, offset: view.offset, rowStride: view.shape[1] == 1 ? view.shape[2] : view.strides[1])
  }

  /// The call that ranks, inverts or scatters.
  func lowerIndex(_ value: ValueID) -> LoweredCall {
    let node = graph[value]
    let shape = node.type.shape
    let units = shape.rank > 1 ? shape[0] : 1
    var arguments = ArgumentList(graph, units: units)
    for operand in node.operands {
      let view = storage[operand]
      _ = arguments.number(of: view.root, unitStride: units > 1 ? view.strides[0] : 0, .read)
    }
    _ = arguments.number(of: value, unitStride: units > 1 ? shape.count / units : 0, .write)
    let rows = shape.rank > 1 ? shape.count / units / shape[-1] : 1
    let kernel: IndexKernel
    switch node.operation {
    case .rank: kernel = .rank(rows: rows, width: shape[-1])
    case .invertPermutation: kernel = .invertPermutation(rows: rows, width: shape[-1])
    case .finerIndices(let grid, let side):
      kernel = .finerIndices(
        count: shape[1] / (side * side), grid: grid, side: side, sourceOffset: storage[node.operands[0]].offset)
    case .windowGroups(let cut):
      kernel = .windowGroups(count: shape[2], cut, sourceOffset: storage[node.operands[0]].offset, workspace: arguments.workspace())
    default:
      let source = storage[node.operands[0]]
      let strides = source.scatterStrides ?? (0, shape[2])
      kernel = .scatterAdd(
        ScatterKernel(
          samples: source.shape.rank == 4 ? source.shape[1] : 1, count: source.shape[-2], rows: shape[1], width: shape[2],
          sourceOffset: source.offset, sampleStride: strides.sample, rowStride: strides.row))
    }
    return LoweredCall(
      kernel: Kernel(arguments: arguments.arguments, body: .index(kernel)), bindings: arguments.bindings, units: units,
      reads: Set(node.operands.map(clustering.base)), writes: [value], name: graph.callName(value), flops: shape.count,
      order: value.index, region: node.region)
  }
}
