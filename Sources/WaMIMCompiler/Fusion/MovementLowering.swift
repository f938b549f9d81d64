import WaMIMGraph

extension Lowering {
  /// The calls that copy operands of a concatenation into it, but for those that are computed there.
  func concatenation(_ value: ValueID, _ axis: Int) -> [LoweredCall] {
    var start = 0
    var calls: [LoweredCall] = []
    for operand in graph[value].operands {
      let extent = graph[operand].type.shape[axis]
      if !storage.forwarded.contains(operand) {
        calls.append(copy(operand, to: storage[value].sliced(axis: axis, start: start, count: extent, step: 1), of: value))
      }
      start += extent
    }
    return calls
  }

  /// The calls that write zeros, and the operand among them.
  func padding(_ value: ValueID, _ axis: Int, _ start: Int, _ step: Int) -> [LoweredCall] {
    guard let operand = graph[value].operands.first else { return [] }
    let (view, count) = (storage[value], graph[operand].type.shape[axis])
    guard storage.forwarded.contains(operand) else {
      var copied = copy(operand, to: view.sliced(axis: axis, start: start, count: count, step: step), of: value)
      copied.reads.insert(value)
      return [fill(view, 0, of: value), copied]
    }
    let gaps = [0..<start, start + count..<view.shape[axis]].filter { !$0.isEmpty }
    return gaps.map { fill(view.sliced(axis: axis, start: $0.lowerBound, count: $0.count, step: 1), 0, of: value) }
  }

  /// The calls that give constants memory, where someone reads them as an array, not as numbers within an expression.
  func fills() -> [LoweredCall] {
    var needed = Set(graph.outputs.map { clustering.base($0.value) })
    for value in graph.values where clustering.cluster(of: value) != nil {
      switch graph[value].operation {
      case .unary, .binary, .convert, .reduce, .concatenate, .pad, .broadcast, .reshape, .transpose, .slice, .detach: break
      default: needed.formUnion(graph[value].operands.map(clustering.base))
      }
    }
    return needed.sorted().compactMap { value in
      guard case .constant(let number, _) = graph[value].operation else { return nil }
      var call = fill(storage[value], number, of: value)
      call.provenance = provenance(of: [value])
      return call
    }
  }

  /// The calls that write new values over states, but for those that are computed there.
  func updateCopies() -> [LoweredCall] {
    graph.updates.filter { !storage.forwarded.contains($0.value) && $0.value != $0.state }.map { update in
      var call = copy(update.value, to: View(whole: update.state, shape: graph[update.state].type.shape), of: update.state)
      call.overwrites = [update.state]
      call.writes = []
      call.order = graph.nodes.count
      call.region = .update
      call.provenance = provenance(of: [update.value])
      return call
    }
  }

  /// A call that copies `source` to `target`, a window on the memory of `owner`.
  private func copy(_ source: ValueID, to target: View, of owner: ValueID) -> LoweredCall {
    let domain = Domain(target.shape)
    var arguments = ArgumentList(graph, units: domain.outer[0])
    let from = storage[source]
    let base = clustering.base(source)
    var instruction = Instruction.constant(0)
    if case .constant(let number, _) = graph[base].operation {
      instruction = .constant(number)
    } else {
      let strides = from.loopStrides
      instruction = .load(
        Access(argument: arguments.number(of: from.root, unitStride: strides[0], .read), offset: from.offset, strides: strides))
    }
    let strides = target.loopStrides
    let store = Access(
      argument: arguments.number(of: target.root, unitStride: strides[0], .write), offset: target.offset, strides: strides)
    return rowCall(
      domain, arguments, [RowStage(extent: .elements, instructions: [instruction], stores: [Store(access: store, operand: 0)])],
      reads: [base], writes: owner)
  }

  /// A call that makes every element of `view`, on the memory of `owner`, equal to `number`.
  private func fill(_ view: View, _ number: Float, of owner: ValueID) -> LoweredCall {
    let domain = Domain(view.shape)
    var arguments = ArgumentList(graph, units: domain.outer[0])
    let strides = view.loopStrides
    let store = Access(
      argument: arguments.number(of: view.root, unitStride: strides[0], .write), offset: view.offset, strides: strides)
    return rowCall(
      domain, arguments,
      [RowStage(extent: .elements, instructions: [.constant(number)], stores: [Store(access: store, operand: 0)])],
      reads: [], writes: owner)
  }

  private func rowCall(
    _ domain: Domain, _ arguments: ArgumentList, _ stages: [RowStage], reads: Set<ValueID>, writes: ValueID
  ) -> LoweredCall {
    let kernel = RowKernel(outer: domain.outer, width: domain.width ?? 1, stages: stages)
    return LoweredCall(
      kernel: Kernel(arguments: arguments.arguments, body: .rows(kernel)), bindings: arguments.bindings, units: domain.outer[0],
      reads: reads, writes: [writes], name: graph.callName(writes), order: writes.index,
      region: graph[writes].region)
  }
}
