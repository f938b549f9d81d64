import CLLVM

extension IRBuilder {
  /// Runs `body` for indices from `start` in steps of `step`, while an index is below `end`; it takes and returns what the loop carries.
  ///
  /// - Returns: What the loop carried at its end.
  @discardableResult
  func loop(
    from start: Value, to end: Value, step: Int = 1, carrying initial: [Value] = [],
    _ body: (_ index: Value, _ carried: [Value]) throws -> [Value]
  ) rethrows -> [Value] {
    let before = LLVMGetInsertBlock(instructions)
    let (header, inside, after) = (siblingBlock(), siblingBlock(), siblingBlock())
    _ = LLVMBuildBr(instructions, header.reference)

    enter(header)
    let index = phi(int64, start, from: Block(reference: before))
    let carried = initial.map { phi(type(of: $0), $0, from: Block(reference: before)) }
    _ = LLVMBuildCondBr(instructions, compareIntegers(LLVMIntSLT, index, end).reference, inside.reference, after.reference)

    enter(inside)
    let results = try body(index, carried)
    let next = addIntegers(index, self.index(step))
    let latch = Block(reference: LLVMGetInsertBlock(instructions))
    _ = LLVMBuildBr(instructions, header.reference)
    for (phi, value) in zip([index] + carried, [next] + results) { addIncoming(value, from: latch, to: phi) }

    enter(after)
    return carried
  }

  /// Runs `body` for `count` indices, 0, `step`, 2 · `step` and so on, known when compiling; a single one needs no loop.
  @discardableResult
  func loop(
    count: Int, step: Int = 1, carrying initial: [Value] = [],
    _ body: (_ index: Value, _ carried: [Value]) throws -> [Value]
  ) rethrows -> [Value] {
    switch count {
    case ...0: initial
    case 1: try body(index(0), initial)
    default: try loop(from: index(0), to: index(count * step), step: step, carrying: initial, body)
    }
  }

  /// Runs `body` inside nested loops of the given extents, the last one innermost.
  @discardableResult
  func nest(
    _ extents: some Collection<Int>, carrying initial: [Value] = [], indices: [Value] = [],
    _ body: (_ indices: [Value], _ carried: [Value]) throws -> [Value]
  ) rethrows -> [Value] {
    guard let extent = extents.first else { return try body(indices, initial) }
    return try loop(count: extent, carrying: initial) { index, carried in
      try nest(extents.dropFirst(), carrying: carried, indices: indices + [index], body)
    }
  }

  private func siblingBlock() -> Block {
    let function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(instructions))
    return Block(reference: LLVMAppendBasicBlockInContext(context, function, ""))
  }

  private func phi(_ type: IRType, _ value: Value, from block: Block) -> Value {
    let phi = Value(reference: LLVMBuildPhi(instructions, type.reference, ""))
    addIncoming(value, from: block, to: phi)
    return phi
  }

  private func addIncoming(_ value: Value, from block: Block, to phi: Value) {
    var values = [value.reference]
    var blocks = [block.reference]
    LLVMAddIncoming(phi.reference, &values, &blocks, 1)
  }
}
