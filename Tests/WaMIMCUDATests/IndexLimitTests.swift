import Testing
import WaMIMCUDA
import WaMIMCompiler

/// Indices of GPUs' kernels have 32 bits.
struct IndexLimitTests {
  /// Copies of `count` elements, one for each of `units` units.
  private func text(units: Int, count: Int) throws -> String {
    let (source, target) = (
      Access(argument: 0, offset: 0, strides: [count, 1]), Access(argument: 1, offset: 0, strides: [count, 1])
    )
    let copy = RowStage(extent: .elements, instructions: [.load(source)], stores: [Store(access: target, operand: 0)])
    let kernel = Kernel(
      arguments: [.read, .write].map { KernelArgument(element: .bfloat16, access: $0, unitStride: count, count: count) },
      body: .rows(RowKernel(outer: [units], width: count, stages: [copy])))
    let backend = CUDABackend()
    return try backend.cuda([(kernel, backend.variant(of: kernel, units: units))])
  }

  @Test func arraysOfAllUnitsAreWithinThem() throws {
    #expect(try text(units: 4095, count: 1 << 19).contains("k0_"))
    let error = #expect(throws: CUDAError.self) { try text(units: 4097, count: 1 << 19) }
    #expect(error?.description.contains("take smaller micro-batches with --micro-batch") == true)
  }
}
