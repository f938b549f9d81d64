import CCUDA

/// Work of a GPU that is done in the order in which it is asked for, while this machine goes on.
final class CUDAStream {
  let handle: wamim_cuda_stream
  let context: CUDAContext

  init(on context: CUDAContext) throws(TrainerError) {
    var handle: wamim_cuda_stream?
    try CUDAResult.check(wamim_cuStreamCreate(&handle, UInt32(WAMIM_CUDA_STREAM_NON_BLOCKING)), "begin with work on the GPU")
    guard let handle else { throw TrainerError("the GPU's driver gives no stream") }
    self.handle = handle
    self.context = context
  }

  deinit {
    _ = wamim_cuStreamSynchronize(handle)
    _ = wamim_cuStreamDestroy(handle)
  }

  /// Lets work that is asked for from now on wait for `moment`.
  func wait(until moment: CUDAEvent) throws(TrainerError) {
    try CUDAResult.check(wamim_cuStreamWaitEvent(handle, moment.handle, 0), "order the GPU's work")
  }

  /// Waits until all work is done; `purpose` is what the last of it was for.
  func wait(for purpose: @autoclosure () -> String) throws(TrainerError) {
    try CUDAResult.check(wamim_cuStreamSynchronize(handle), purpose())
  }
}

/// A moment in a stream's work.
final class CUDAEvent {
  let handle: wamim_cuda_event
  /// What the event belongs to, and must not outlive.
  private let context: CUDAContext

  init(on context: CUDAContext) throws(TrainerError) {
    var handle: wamim_cuda_event?
    try CUDAResult.check(wamim_cuEventCreate(&handle, 0), "watch the GPU's work")
    guard let handle else { throw TrainerError("the GPU's driver gives no event") }
    self.handle = handle
    self.context = context
  }

  deinit {
    _ = wamim_cuEventDestroy(handle)
  }

  /// Makes this the moment when all that `stream` has been asked for is done.
  func record(in stream: CUDAStream) throws(TrainerError) {
    try CUDAResult.check(wamim_cuEventRecord(handle, stream.handle), "watch the GPU's work")
  }

  /// Waits for the moment; returns at once where none has been recorded.
  func wait(for purpose: @autoclosure () -> String) throws(TrainerError) {
    try CUDAResult.check(wamim_cuEventSynchronize(handle), purpose())
  }

  /// Nanoseconds from `start` to this moment; both have come.
  func nanoseconds(since start: CUDAEvent) throws(TrainerError) -> UInt64 {
    var milliseconds: Float = 0
    try CUDAResult.check(wamim_cuEventElapsedTime(&milliseconds, start.handle, handle), "measure the GPU's work")
    return UInt64(max(0, Double(milliseconds) * 1e6))
  }
}
