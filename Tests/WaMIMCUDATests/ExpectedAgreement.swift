import CUDASupport
import Testing
import WaMIMCUDA
import WaMIMTraining

/// Expects a model's program as CUDA, emulated, to agree with the interpreter, in the same bits in all `orders` of threads.
func expectAgreement(
  of model: Model, _ backend: CUDABackend = CUDABackend(), orders: ClosedRange<UInt64> = 0...0, seed: UInt64 = 1,
  _ limits: ProgramAgreement.Limits = .init()
) throws {
  let agreement = try ProgramAgreement(model, backend) { try EmulatedKernels(ptx: $0) }
  try agreement.check(orders: orders, seed: seed, limits) { finding in
    #expect(finding.error < finding.limit, "\(finding.subject): \(finding.error)")
  }
}
