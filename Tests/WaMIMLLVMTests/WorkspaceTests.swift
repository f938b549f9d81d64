import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMLLVM

/// The workspace of a variant is what its code uses: no less, or it would write over what other kernels keep, and no more.
@Suite struct WorkspaceTests {
  private static let attentionShapes = [
    (1, 1, 1), (1, 5, 20), (5, 16, 64), (16, 50, 20), (64, 148, 64), (148, 197, 20), (197, 148, 64),
  ].map { AttentionShape(heads: 2, headWidth: $0.2, queryCount: $0.1, keyCount: $0.0) }

  @Test func attentionUsesItsWorkspace() throws {
    try check(Self.attentionShapes.flatMap { attention($0) })
  }

  @Test func attentionWithinGroupsUsesItsWorkspace() throws {
    // One window, so that its group is as large as a group can be.
    let kernels = [(1, 1), (3, 5), (5, 20), (7, 32), (8, 64)].flatMap { window, width in
      let shape = GroupAttentionShape(
        heads: 2, headWidth: width, tokenCount: window * window, window: window, expectedPairs: window * window * window * window)
      return groupAttention(shape, workspace: argument(.workspace, 0, moves: false))
    }
    try check(kernels)
  }

  @Test func productsUseTheirWorkspace() throws {
    var kernels: [Kernel] = []
    for (m, k) in [(1, 1), (7, 1030), (32, 2048), (96, 768), (250, 500), (1000, 96), (200, 400)] {
      for isTransposed in [false, true] {
        for n in [7, 48, 256] {
          kernels.append(matmul(.products(batches: 2), m: m, n: n, k: k, isTransposed: isTransposed))
          kernels.append(matmul(.rows(block: (m + 1) / 2), m: m, n: n, k: k, isTransposed: isTransposed))
        }
      }
    }
    try check(kernels)
  }

  /// Runs `kernels` on memory in which what surrounds a workspace is watched, and looks for the last element that they write there.
  private func check(_ kernels: [Kernel]) throws {
    for processor in processorsToTest() {
      let backend = LLVMBackend(processor: processor, matmuls: .generated)
      let compiled = try CompiledKernels(kernels, backend: backend)
      let variants = backend.planned(kernels).map(\.variant)
      for (index, kernel) in compiled.kernels.enumerated() {
        var arrays = kernel.arguments.map { [Float](repeating: 1, count: $0.access == .workspace ? 0 : $0.count) }
        for (index, argument) in kernel.arguments.enumerated() where argument.element == .int32 {
          arrays[index] = singleGroup(count: argument.count / 3)
        }
        let used = try compiled.usedWorkspace(index, arrays: &arrays, ranges: [0..<1])
        let variant = variants[index]
        // Less than a row of a register tile, whose length is the depth, and the gap between two tiles stay free at the end.
        let slack = 16 + max(variant.workspace / 4, 64)
        #expect(
          used <= variant.workspace && used >= variant.workspace - slack,
          "\(used) of \(variant.workspace) by \(variant.name) on \(processor.name): \(kernel.body)")
      }
    }
  }

  /// What the kernel itself keeps comes first, and the variant's workspace begins on a cache line behind it.
  @Test func theVariantComesBehindTheKernel() throws {
    var kernel = matmul(.rows(block: 10), m: 20, n: 7, k: 500, isTransposed: true)
    guard case .matmul(var product) = kernel.body else { return }
    product.result = .init(argument: 3, offset: 0, rowStride: 7, isTransposed: false)
    kernel.body = .matmul(product)
    kernel.arguments[3].count = 10 * 7
    for name in ["x86-64", "x86-64-v3", "x86-64-v4", "sapphirerapids", "neoverse-n1"] {
      let (planned, variant) = try LLVMBackend(processor: .named(name), matmuls: .generated).planned([kernel])[0]
      #expect(variant.workspace > 0 && planned.arguments[3].count == 80 + variant.workspace, "\(name)")
    }
    let (planned, variant) = LLVMBackend(matmuls: .openBLAS).planned([kernel])[0]
    #expect(variant.workspace == 0 && planned == kernel)
  }

  /// A program says how it was planned, and no other backend makes code of it.
  @Test func anotherBackendsProgramIsAnError() throws {
    let kernel = matmul(.products(batches: 1), m: 20, n: 20, k: 20, isTransposed: false)
    let backend = try LLVMBackend(processor: .named("x86-64-v3"), matmuls: .generated)
    for other in [
      Variant(name: "toy"), try LLVMBackend(processor: .named("x86-64"), matmuls: .generated).planned([kernel])[0].variant,
    ] {
      let error = try #require(throws: BackendError.self) { try backend.check(kernel, other) }
      #expect(error.message.contains("'\(other.name)'") && error.message.contains("x86-64-v3"), "\(error)")
    }
    let (planned, variant) = backend.planned([kernel])[0]
    try backend.check(planned, variant)
  }

  // MARK: Kernels

  private func argument(_ access: KernelArgument.Access, _ count: Int, moves: Bool = true) -> KernelArgument {
    KernelArgument(element: .float32, access: access, unitStride: moves ? count : 0, count: count)
  }

  /// Attention of `shape` and its gradient, their workspace argument 3.
  private func attention(_ shape: AttentionShape) -> [Kernel] {
    let width = shape.heads * shape.headWidth
    func rows(_ argument: Int) -> TokenRows { TokenRows(argument: argument, offset: 0, rowStride: width) }
    let count = max(shape.queryCount, shape.keyCount) * width
    let arguments = [
      argument(.read, count), argument(.read, count), argument(.update, count), argument(.workspace, 0, moves: false),
    ]
    let forward = AttentionKernel(shape: shape, query: rows(0), key: rows(1), value: rows(1), result: rows(2), workspace: 3)
    let backward = AttentionGradientKernel(
      shape: shape, query: rows(0), key: rows(1), value: rows(1), gradient: rows(0), queryGradient: rows(2), keyGradient: rows(2),
      valueGradient: rows(2), workspace: 3)
    return [
      Kernel(arguments: arguments, body: .attention(forward)), Kernel(arguments: arguments, body: .attentionGradient(backward)),
    ]
  }

  /// Attention within groups of `shape` and its gradient.
  private func groupAttention(_ shape: GroupAttentionShape, workspace: KernelArgument) -> [Kernel] {
    let width = shape.heads * shape.headWidth
    func rows(_ argument: Int) -> TokenRows { TokenRows(argument: argument, offset: 0, rowStride: width) }
    let count = shape.tokenCount * width
    let attention = GroupAttentionKernel(
      shape: shape, query: rows(0), key: rows(0), value: rows(0), bias: 4, groups: 5, result: rows(1), workspace: 3)
    let arguments = [
      argument(.read, count), argument(.read, count), argument(.update, count), workspace,
      argument(.read, shape.biasCount * shape.heads, moves: false),
      KernelArgument(element: .int32, access: .read, unitStride: 3 * shape.tokenCount, count: 3 * shape.tokenCount),
    ]
    var forward = attention
    forward.result = rows(2)
    let backward = GroupAttentionGradientKernel(
      attention: attention, queryGradient: rows(2), keyGradient: rows(2), valueGradient: rows(2), biasGradient: nil)
    return [
      Kernel(arguments: arguments, body: .groupAttention(forward)),
      Kernel(arguments: arguments, body: .groupAttentionGradient(backward)),
    ]
  }

  /// The table of one group of `count` tokens with one code.
  private func singleGroup(count: Int) -> [Float] {
    (0..<count).map { Float($0) } + [Float](repeating: Float(count), count: count) + [Float](repeating: 0, count: count)
  }

  /// `m` rows by `n` columns, summed over `k`; its workspace is argument 3.
  private func matmul(_ partition: MatmulKernel.Partition, m: Int, n: Int, k: Int, isTransposed: Bool) -> Kernel {
    let kernel = MatmulKernel(
      partition: partition, m: m, n: n, k: k,
      left: .init(argument: 0, offset: 0, rowStride: isTransposed ? m : k, isTransposed: isTransposed),
      right: .init(argument: 1, offset: 0, rowStride: n, isTransposed: false),
      result: .init(argument: 2, offset: 0, rowStride: n, isTransposed: false), workspace: 3)
    return Kernel(
      arguments: [
        argument(.read, m * k, moves: false), argument(.read, k * n, moves: false), argument(.write, m * n, moves: false),
        argument(.workspace, 0, moves: false),
      ], body: .matmul(kernel))
  }
}
