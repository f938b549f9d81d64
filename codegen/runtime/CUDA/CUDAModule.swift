import CCUDA
import CProgram

/// A program's functions, compiled by the driver for the GPU.
final class CUDAModule {
  private let handle: wamim_cuda_module
  private let context: CUDAContext
  private var functions: [String: wamim_cuda_function] = [:]

  /// Bytes for what the driver's compiler has to say.
  private static let logBytes = 8 << 10

  /// Compiles the code of the context's image.
  init(on context: CUDAContext) throws(TrainerError) {
    var handle: wamim_cuda_module?
    let (result, log) = Self.load(context.image.code, &handle)
    if result != 0 {
      let detail = log.isEmpty ? "" : ":\n\(log)"
      try CUDAResult.check(result, "compile the kernels for \(context.name)\(detail)")
    }
    guard let handle else { throw TrainerError("the GPU's driver gives no module") }
    self.handle = handle
    self.context = context
  }

  deinit {
    _ = wamim_cuModuleUnload(handle)
  }

  private static func load(
    _ code: wamim_device_image, _ handle: inout wamim_cuda_module?
  ) -> (result: wamim_cuda_result, log: String) {
    var bytes = [CChar](repeating: 0, count: logBytes)
    let result = bytes.withUnsafeMutableBytes { log in
      var options = [Int32(WAMIM_CUDA_ERROR_LOG), Int32(WAMIM_CUDA_ERROR_LOG_BYTES)]
      // Numbers are handed over in place of pointers.
      var values = [log.baseAddress, UnsafeMutableRawPointer(bitPattern: logBytes - 1)]
      return wamim_cuModuleLoadDataEx(&handle, code.ptx, UInt32(options.count), &options, &values)
    }
    return (result, String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
  }

  /// The function of a name, which blocks run with so many bytes of shared memory beside what it names.
  func function(_ name: String, sharedBytes: Int = 0) throws(TrainerError) -> wamim_cuda_function {
    if let known = functions[name] { return known }
    var function: wamim_cuda_function?
    try CUDAResult.check(wamim_cuModuleGetFunction(&function, handle, name), "find the kernel '\(name)'")
    guard let function else { throw TrainerError("the GPU's driver gives no function for the kernel '\(name)'") }
    if sharedBytes > 0 {
      try CUDAResult.check(
        wamim_cuFuncSetAttribute(function, Int32(WAMIM_CUDA_MOST_SHARED_BYTES), Int32(sharedBytes)),
        "give the kernel '\(name)' \(Format.bytes(sharedBytes)) of shared memory")
    }
    functions[name] = function
    return function
  }
}
