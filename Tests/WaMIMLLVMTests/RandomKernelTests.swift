import KernelSupport
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMLLVM

@Suite struct RandomKernelTests {
  private func check(_ count: Int, _ make: (inout RandomKernels) -> KernelCase) throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var kernels = RandomKernels(generator: SeededGenerator(seed: seed))
    let cases = (0..<count).map { _ in make(&kernels) }
    try checkAgainstReference(cases, seed: seed, generator: &kernels.generator)
  }

  @Test func rowKernelsAgreeWithReference() throws { try check(60) { $0.rows() } }

  @Test func columnKernelsAgreeWithReference() throws { try check(60) { $0.columns() } }

  @Test func matmulKernelsAgreeWithReference() throws { try check(60) { $0.matmul() } }

  @Test func largeMatmulKernelsAgreeWithReference() throws { try check(12) { $0.largeMatmul() } }

  /// The same kernels are for AMX, or it would not be tested where there is one.
  @Test func mostLargeMatmulKernelsAreForAMX() throws {
    // A seed of its own, as so many of others may by chance be for vectors.
    var kernels = RandomKernels(generator: SeededGenerator(seed: 1))
    let backend = try LLVMBackend(processor: .named("sapphirerapids"), matmuls: .generated)
    let texts = try (0..<24).map { _ in
      String(decoding: try backend.emit([kernels.largeMatmul().kernel], as: .llvm), as: UTF8.self)
    }
    #expect(texts.count { $0.contains("llvm.x86.tdpbf16ps") } > 16)
    #expect(texts.count { $0.contains(/call void @amx_tiles_\w+_copy\(/) } > 2, "no tiles that copy the next panel")
  }

  @Test func sequencesAgreeWithReference() throws { try check(60) { $0.sequence() } }
}
