import CCUDA

/// What calls of NVIDIA's driver answer.
enum CUDAResult {
  /// Throws where `result` is a failure; `purpose` says what could not be done, such as `copy images to the GPU`.
  @inline(__always)
  static func check(_ result: wamim_cuda_result, _ purpose: @autoclosure () -> String) throws(TrainerError) {
    if result != Int32(WAMIM_CUDA_SUCCESS) { throw failure(result, purpose()) }
  }

  private static func failure(_ result: wamim_cuda_result, _ purpose: String) -> TrainerError {
    TrainerError(deviceFailure: "cannot \(purpose): the GPU's driver says '\(text(result))' (\(name(result))); \(advice(result))")
  }

  /// The driver's words for `result`.
  private static func text(_ result: wamim_cuda_result) -> String {
    var text: UnsafePointer<CChar>?
    return wamim_cuGetErrorString(result, &text) == 0 ? text.map { String(cString: $0) } ?? "unknown" : "unknown"
  }

  private static func name(_ result: wamim_cuda_result) -> String {
    var name: UnsafePointer<CChar>?
    return wamim_cuGetErrorName(result, &name) == 0 ? name.map { String(cString: $0) } ?? "error \(result)" : "error \(result)"
  }

  private static func advice(_ result: wamim_cuda_result) -> String {
    switch Int(result) {
    case Int(WAMIM_CUDA_OUT_OF_MEMORY):
      "another process may use the GPU, which nvidia-smi tells; or compile the model with a smaller --micro-batch"
    default: "nvidia-smi, and lines with Xid in the system's log, may tell more"
    }
  }
}
