import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMLLVM

/// What is planned for workspace is enough for the code, for every processor.
@Suite struct WorkspaceTests {
  /// Processors of each kind: with vectors of 4, 8 and 16 lanes, 16 or 32 registers, and with a matrix unit.
  private static let processors = ["x86-64", "x86-64-v3", "x86-64-v4", "sapphirerapids", "neoverse-n1"]

  private static let attentionShapes = [1, 5, 16, 50, 64, 197].flatMap { tokens in
    [1, 20, 64].flatMap { width in
      [tokens, 148].map { AttentionShape(heads: 2, headWidth: width, queryCount: $0, keyCount: tokens) }
    }
  }

  private func check(_ kernel: Kernel, for processor: String) throws {
    try LLVMBackend(processor: .named(processor), matmuls: .generated).check([kernel])
  }

  @Test(arguments: processors) func attentionHasEnough(processor: String) throws {
    for shape in Self.attentionShapes {
      for kernel in attention(shape, workspace: shape.workspaceCount) { try check(kernel, for: processor) }
    }
  }

  @Test(arguments: processors) func productsHaveEnough(processor: String) throws {
    for (m, k) in [(1, 1), (7, 1030), (32, 2048), (96, 768), (250, 5000), (1000, 96), (200, 400), (3000, 160), (1500, 192)] {
      for isTransposed in [false, true] {
        for partition in [MatmulKernel.Partition.products(batches: 2), .rows(block: (m + 1) / 2)] {
          let count = MatmulKernel.workspaceCount(partition: partition, m: m, k: k, copiesLeft: isTransposed)
          try check(matmul(partition, m: m, k: k, isTransposed: isTransposed, workspace: count), for: processor)
        }
      }
    }
  }

  @Test func tooLittleIsAnError() throws {
    let shape = AttentionShape(heads: 2, headWidth: 32, queryCount: 50, keyCount: 50)
    for kernel in attention(shape, workspace: shape.workspaceCount / 8) + [
      matmul(.products(batches: 2), m: 96, k: 768, isTransposed: true, workspace: 768 * 96),
      matmul(.rows(block: 8), m: 96, k: 768, isTransposed: false, workspace: 768),
    ] {
      let error = try #require(throws: BackendError.self, "\(kernel.body.kind), \(kernel.arguments[3].count)") {
        try check(kernel, for: "x86-64-v3")
      }
      #expect(error.message.contains("of workspace where \(kernel.arguments[3].count) are planned"), "\(error)")
    }
  }

  // MARK: Kernels

  private func argument(_ access: KernelArgument.Access, _ count: Int, moves: Bool = true) -> KernelArgument {
    KernelArgument(element: .float32, access: access, unitStride: moves ? count : 0, count: count)
  }

  /// Attention of `shape` and its gradient, their workspace argument 3.
  private func attention(_ shape: AttentionShape, workspace: Int) -> [Kernel] {
    let width = shape.heads * shape.headWidth
    func rows(_ argument: Int) -> TokenRows { TokenRows(argument: argument, offset: 0, rowStride: width) }
    let count = max(shape.queryCount, shape.keyCount) * width
    let arguments = [
      argument(.read, count), argument(.read, count), argument(.update, count), argument(.workspace, workspace, moves: false),
    ]
    let forward = AttentionKernel(shape: shape, query: rows(0), key: rows(1), value: rows(1), result: rows(2), workspace: 3)
    let backward = AttentionGradientKernel(
      shape: shape, query: rows(0), key: rows(1), value: rows(1), gradient: rows(0), queryGradient: rows(2), keyGradient: rows(2),
      valueGradient: rows(2), workspace: 3)
    return [
      Kernel(arguments: arguments, body: .attention(forward)), Kernel(arguments: arguments, body: .attentionGradient(backward)),
    ]
  }

  /// `m` rows by 256 columns, summed over `k`; its workspace is argument 3.
  private func matmul(
    _ partition: MatmulKernel.Partition, m: Int, k: Int, isTransposed: Bool, workspace: Int
  ) -> Kernel {
    let kernel = MatmulKernel(
      partition: partition, m: m, n: 256, k: k,
      left: .init(argument: 0, offset: 0, rowStride: isTransposed ? m : k, isTransposed: isTransposed),
      right: .init(argument: 1, offset: 0, rowStride: 256, isTransposed: false),
      result: .init(argument: 2, offset: 0, rowStride: 256, isTransposed: false), workspace: 3)
    return Kernel(
      arguments: [
        argument(.read, m * k, moves: false), argument(.read, k * 256, moves: false), argument(.write, m * 256, moves: false),
        argument(.workspace, workspace, moves: false),
      ], body: .matmul(kernel))
  }
}
