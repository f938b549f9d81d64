import CCUDA

/// Memory of a GPU, given back when the last reference goes.
final class CUDAMemory {
  let address: wamim_cuda_address
  let byteCount: Int
  /// The memory goes before it.
  private let context: CUDAContext

  /// - Parameter purpose: What the memory is for, which an error names.
  init(byteCount: Int, for purpose: String, on context: CUDAContext) throws(TrainerError) {
    var address: wamim_cuda_address = 0
    try CUDAResult.check(
      wamim_cuMemAlloc(&address, max(byteCount, 1)), "get \(Format.bytes(byteCount)) of \(context.name)'s memory for \(purpose)")
    self.address = address
    self.byteCount = byteCount
    self.context = context
  }

  deinit {
    _ = wamim_cuMemFree(address)
  }
}

/// Memory of this machine that a GPU copies to and from beside other work, given back when the last reference goes.
final class PinnedMemory {
  let base: UnsafeMutableRawPointer
  let byteCount: Int
  private let context: CUDAContext

  init(byteCount: Int, on context: CUDAContext) throws(TrainerError) {
    var base: UnsafeMutableRawPointer?
    let purpose = "get \(Format.bytes(byteCount)) of this machine's memory for what is on the way to the GPU"
    try CUDAResult.check(wamim_cuMemHostAlloc(&base, max(byteCount, 1), 0), purpose)
    guard let base else { throw TrainerError("cannot \(purpose)") }
    self.base = base
    self.byteCount = byteCount
    self.context = context
  }

  deinit {
    _ = wamim_cuMemFreeHost(base)
  }
}
