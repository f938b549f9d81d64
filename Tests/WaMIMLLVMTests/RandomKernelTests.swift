import TestSupport
import Testing
import WaMIMCompiler

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

  @Test func largeMatmulKernelsAgreeWithReference() throws { try check(20) { $0.largeMatmul() } }

  @Test func sequencesAgreeWithReference() throws { try check(60) { $0.sequence() } }
}
