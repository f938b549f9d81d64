import CCUDA

/// NVIDIA's driver, which the machine has to bring.
enum CUDADriver {
  private static let library = "libcuda.so.1"
  /// CUDA 11.4, the first one with all functions that are called.
  private static let leastVersion = 11_040

  /// Opens the driver.
  static func open() throws(TrainerError) {
    var message: UnsafePointer<CChar>?
    let opening = wamim_cuda_open(library, &message)
    let detail = message.map { String(cString: $0) } ?? ""
    guard opening != WAMIM_CUDA_MISSING else {
      throw TrainerError(
        "this program computes on an NVIDIA GPU, and this machine has no driver for one (\(detail)); install NVIDIA's driver, or "
          + "compile the model without --target cuda")
    }
    try requireVersion(leastVersion)
    guard opening == WAMIM_CUDA_OPENED else {
      throw TrainerError("NVIDIA's driver on this machine has no function \(detail); install a newer one")
    }
    let result = wamim_cuInit(0)
    guard result != Int32(WAMIM_CUDA_NO_DEVICE) else {
      throw TrainerError(
        "this program computes on an NVIDIA GPU, and this process can use none: nvidia-smi shows those of the machine")
    }
    try CUDAResult.check(result, "use NVIDIA's driver")
  }

  /// The newest version of CUDA that the driver knows, as it counts them.
  static func version() throws(TrainerError) -> Int {
    var version: Int32 = 0
    try CUDAResult.check(wamim_cuDriverGetVersion(&version), "ask NVIDIA's driver for its version")
    return Int(version)
  }

  /// Throws where the driver does not know version `least` of CUDA.
  static func requireVersion(_ least: Int) throws(TrainerError) {
    let version = try version()
    guard version < least else { return }
    throw TrainerError(
      "NVIDIA's driver on this machine is too old: it knows CUDA \(text(version)), and this program needs one for CUDA "
        + "\(text(least)) or newer")
  }

  /// A version as people write it: 11040 is 11.4.
  private static func text(_ version: Int) -> String { "\(version / 1000).\(version % 1000 / 10)" }
}
