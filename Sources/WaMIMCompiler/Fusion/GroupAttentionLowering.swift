import WaMIMGraph

extension Lowering {
  /// The call of one attention within groups.
  func lowerGroupAttention(_ value: ValueID, _ heads: Int) -> LoweredCall {
    let operands = graph[value].operands
    var arguments = ArgumentList(graph, units: graph[value].type.shape[0])
    let kernel = groupAttention(operands, heads, result: value, .write, &arguments)
    let body = KernelBody.groupAttention(kernel)
    return LoweredCall(
      kernel: Kernel(arguments: arguments.arguments, body: body), bindings: arguments.bindings, units: arguments.units,
      reads: Set(operands.map(clustering.base)), writes: [value], name: graph.callName(value),
      flops: body.productFlops(units: arguments.units), order: value.index, region: graph[value].region)
  }

  /// The call that computes all gradients of one attention within groups that are wanted.
  func lowerGroupAttentionGradient(_ operands: AttentionOperands, _ values: [ValueID]) -> LoweredCall {
    var arguments = ArgumentList(graph, units: graph[operands.values[0]].type.shape[0])
    let attention = groupAttention(
      Array(operands.values.prefix(5)), operands.heads, result: operands.values[5], .read, &arguments)
    func wanted(_ operand: AttentionOperand) -> ValueID? {
      values.first { graph[$0].operation == .groupAttentionGradient(heads: operands.heads, operand: operand) }
    }
    let gradients = [AttentionOperand.query, .key, .value].map { operand in wanted(operand).map { rows($0, .write, &arguments) } }
    let kernel = GroupAttentionGradientKernel(
      attention: attention, queryGradient: gradients[0], keyGradient: gradients[1], valueGradient: gradients[2],
      biasGradient: wanted(.bias).map { table($0, .write, &arguments) })
    let body = KernelBody.groupAttentionGradient(kernel)
    return LoweredCall(
      kernel: Kernel(arguments: arguments.arguments, body: body), bindings: arguments.bindings, units: arguments.units,
      reads: Set(operands.values.map(clustering.base)), writes: Set(values), name: graph.callName(values[0]),
      provenance: provenance(of: values), flops: body.productFlops(units: arguments.units), order: values.map(\.index).max() ?? 0,
      region: graph[values[0]].region)
  }

  /// What attention within groups reads, and `result`, which it writes or reads the gradient of.
  private func groupAttention(
    _ operands: [ValueID], _ heads: Int, result: ValueID, _ access: KernelArgument.Access, _ arguments: inout ArgumentList
  ) -> GroupAttentionKernel {
    let (tokens, biases) = (graph[operands[0]].type.shape, graph[operands[3]].type.shape)
    let window = WindowCut.window(ofBiases: biases[0]) ?? 1
    let shape = GroupAttentionShape(
      heads: heads, headWidth: tokens[2] / heads, tokenCount: tokens[1], window: window,
      expectedPairs: expectedPairs(operands[4], tokens: tokens[1], window: window))
    let inputs = operands.prefix(3).map { rows($0, .read, &arguments) }
    return GroupAttentionKernel(
      shape: shape, query: inputs[0], key: inputs[1], value: inputs[2], bias: table(operands[3], .read, &arguments),
      groups: table(operands[4], .read, &arguments), result: rows(result, access, &arguments), workspace: arguments.workspace())
  }

  /// The whole array of `value`, or the part of it that each sample has, as an argument.
  private func table(_ value: ValueID, _ access: KernelArgument.Access, _ arguments: inout ArgumentList) -> Int {
    let view = storage[value]
    return arguments.number(of: view.root, unitStride: view.shape.rank == 3 ? view.strides[0] : 0, access)
  }

  /// The pairs of a query and a key that `groups` of `tokens` tokens have on average over random masks.
  private func expectedPairs(_ groups: ValueID, tokens: Int, window: Int) -> Int {
    let table = graph[clustering.base(groups)]
    guard case .windowGroups(let cut) = table.operation else { return tokens * min(tokens, window * window) }
    guard case .finerIndices(_, let side) = graph[clustering.base(table.operands[0])].operation else {
      return cut.expectedPairs(visible: tokens, side: 1)
    }
    return cut.expectedPairs(visible: tokens, side: side)
  }
}
