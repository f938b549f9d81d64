import CCUDA
import CProgram
import WaMIMManifest

/// The memories of a GPU that kernels of a program are given addresses in.
struct CUDAMemories {
  let arena: CUDAMemory
  let scratch: CUDAMemory
  /// Where gradients add up; nil where no schedule is run that uses it.
  let accumulators: CUDAMemory?
  /// Where the accumulators of earlier batches add up; nil where a step takes one batch.
  let sums: CUDAMemory?

  init(_ program: Program, _ request: DeviceRequest, on context: CUDAContext) throws(TrainerError) {
    arena = try CUDAMemory(byteCount: request.arenaBytes, for: "the model", on: context)
    scratch = try CUDAMemory(byteCount: request.scratchBytes, for: "scratch", on: context)
    accumulators =
      request.gradients != .none ? try CUDAMemory(byteCount: program.accumulatorBytes, for: "the gradients", on: context) : nil
    sums =
      request.gradients == .batches
      ? try CUDAMemory(byteCount: program.accumulatorBytes, for: "the gradients of earlier batches", on: context) : nil
  }

  /// Where each storage begins, by its number in `wamim_argument.storage`.
  var addresses: [UInt32: wamim_cuda_address] {
    var addresses = [UInt32(WAMIM_STORAGE_ARENA): arena.address, UInt32(WAMIM_STORAGE_SCRATCH): scratch.address]
    addresses[UInt32(WAMIM_STORAGE_ACCUMULATORS)] = accumulators?.address
    return addresses
  }

  /// Where a tensor lies.
  func address(of tensor: Manifest.Tensor, in memory: DeviceMemory = .arena) throws(TrainerError) -> wamim_cuda_address {
    guard let memory = memory == .arena ? arena : accumulators else {
      throw TrainerError("there is no memory to add up gradients in, and so no `\(tensor.name)`")
    }
    guard tensor.offset + tensor.byteCount <= memory.byteCount else {
      throw TrainerError("the GPU holds no `\(tensor.name)`, as no schedule that uses it is to run")
    }
    return memory.address + UInt64(tensor.offset)
  }

  /// Zeroes all that a schedule reads before it has written it: whatever the memory held before.
  func clear(on stream: CUDAStream) throws(TrainerError) {
    for memory in [arena, scratch, accumulators, sums] {
      if let memory { try clear(0..<memory.byteCount, of: memory, on: stream) }
    }
  }

  /// Zeroes what the schedule of index `schedule` computes.
  func clearTemporaries(of program: Program, schedule: Int, on stream: CUDAStream) throws(TrainerError) {
    for range in program.temporaries(ofSchedule: schedule) { try clear(range, of: arena, on: stream) }
    try clear(0..<scratch.byteCount, of: scratch, on: stream)
  }

  private func clear(_ range: Range<Int>, of memory: CUDAMemory, on stream: CUDAStream) throws(TrainerError) {
    guard !range.isEmpty else { return }
    try CUDAResult.check(
      wamim_cuMemsetD8Async(memory.address + UInt64(range.lowerBound), 0, range.count, stream.handle), "clear memory of the GPU")
  }
}
