import WaMIMGraph

extension LoweredCall {
  /// Lets the product be computed in the memory of one of `candidates`, if the epilogue reads it no later than it writes that.
  ///
  /// - Returns: Whether there is such a candidate.
  mutating func computeInPlace(_ product: ValueID, candidates: [ValueID]) -> Bool {
    guard case .matmul(let matmul) = kernel.body, let epilogue = matmul.epilogue,
      let source = bindings.firstIndex(of: .buffer(product))
    else { return false }
    for candidate in candidates {
      guard let target = bindings.firstIndex(of: .buffer(candidate)),
        let written = epilogue.stages.firstIndex(where: { $0.stores.contains { $0.access.argument == target } }),
        let lastRead = epilogue.stages.lastIndex(where: { $0.reads(source) }), lastRead <= written,
        kernel.arguments[source].unitStride == kernel.arguments[target].unitStride
      else { continue }
      kernel.arguments[target].access = .update
      move(product, from: source, to: target)
      return true
    }
    return false
  }

  /// Lets each block of the product be computed in the workspace, of which it takes `count` elements more, and read there.
  mutating func computeInWorkspace(_ product: ValueID, count: Int) {
    guard case .matmul(let matmul) = kernel.body, matmul.epilogue != nil, let source = bindings.firstIndex(of: .buffer(product))
    else { return }
    let offset = kernel.arguments[matmul.workspace].count
    kernel.arguments[matmul.workspace].count += count
    move(product, from: source, to: matmul.workspace, offset: offset)
  }

  /// Replaces argument `source`, the product's buffer, by what lies `offset` elements behind the start of argument `target`.
  private mutating func move(_ product: ValueID, from source: Int, to target: Int, offset: Int = 0) {
    guard case .matmul(var matmul) = kernel.body else { return }
    func moved(_ argument: Int) -> Int {
      let merged = argument == source ? target : argument
      return merged > source ? merged - 1 : merged
    }
    func moved(_ matrix: MatmulKernel.Matrix) -> MatmulKernel.Matrix {
      var result = matrix
      result.argument = moved(matrix.argument)
      if matrix.argument == source { result.offset += offset }
      return result
    }
    kernel.arguments.remove(at: source)
    bindings.remove(at: source)
    matmul.left = moved(matmul.left)
    matmul.right = moved(matmul.right)
    matmul.result = moved(matmul.result)
    matmul.workspace = moved(matmul.workspace)
    matmul.epilogue = matmul.epilogue?.mappingAccesses { access in
      var result = access.mappingArguments { moved($0) }
      if access.argument == source { result.offset += offset }
      return result
    }
    kernel.body = .matmul(matmul)
    writes.remove(product)
  }
}

extension RowStage {
  /// Whether an instruction loads from argument number `argument`.
  func reads(_ argument: Int) -> Bool {
    instructions.contains {
      if case .load(let access) = $0 { access.argument == argument || access.pick?.argument == argument } else { false }
    }
  }
}
