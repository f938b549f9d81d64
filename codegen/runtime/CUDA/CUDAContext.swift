import CCUDA
import CProgram

/// A GPU that this process uses: calls of the driver are about it from now on, on the thread that makes it.
final class CUDAContext {
  /// The GPU as messages name it.
  let name: String
  /// The code that the GPU runs.
  let image: CUDAImage
  private let device: wamim_cuda_device
  private var handle: wamim_cuda_context?
  private var isRetained = false

  /// Opens the GPU of number `number`, which has to be able to run `code`.
  init(number: Int, for code: wamim_device_code) throws(TrainerError) {
    try CUDADriver.open()
    var count: Int32 = 0
    try CUDAResult.check(wamim_cuDeviceGetCount(&count), "count the GPUs")
    guard number < count else {
      throw TrainerError(
        "there is no GPU \(number): this process can use \(Format.counted(Int(count), "GPU")), counted from 0, which --device chooses"
      )
    }
    var device: wamim_cuda_device = 0
    try CUDAResult.check(wamim_cuDeviceGet(&device, Int32(number)), "open GPU \(number)")
    self.device = device
    name = "\(Self.model(of: device)) (GPU \(number))"
    let capability =
      try 10 * Self.attribute(Int32(WAMIM_CUDA_CAPABILITY_MAJOR), of: device)
      + Self.attribute(Int32(WAMIM_CUDA_CAPABILITY_MINOR), of: device)
    image = try CUDAImage.best(of: code, capability: capability, driver: CUDADriver.version(), called: name)
    try CUDAResult.check(wamim_cuDevicePrimaryCtxRetain(&handle, device), "use \(name)")
    isRetained = true
    try makeCurrent()
  }

  /// Lets calls of the driver on this thread be about the GPU.
  func makeCurrent() throws(TrainerError) { try CUDAResult.check(wamim_cuCtxSetCurrent(handle), "use \(name)") }

  deinit {
    if isRetained { _ = wamim_cuDevicePrimaryCtxRelease(device) }
  }

  /// A property of the GPU.
  func attribute(_ attribute: Int32) throws(TrainerError) -> Int { try Self.attribute(attribute, of: device) }

  /// Bytes of the GPU's memory: those that can still be had, and all.
  func memory() throws(TrainerError) -> (available: Int, total: Int) {
    var (available, total) = (0, 0)
    try CUDAResult.check(wamim_cuMemGetInfo(&available, &total), "ask for the GPU's memory")
    return (available, total)
  }

  /// What GPUs a program has code for, and which of it this machine's first one runs, or why none.
  static func text(of code: wamim_device_code) -> String {
    let images = CUDAImage.all(of: code).map(\.architecture).joined(separator: ", ")
    do throws(TrainerError) {
      let context = try CUDAContext(number: 0, for: code)
      return "for \(images); \(context.name) runs that for \(context.image.architecture)"
    } catch {
      return "for \(images); \(error)"
    }
  }

  private static func attribute(_ attribute: Int32, of device: wamim_cuda_device) throws(TrainerError) -> Int {
    var value: Int32 = 0
    try CUDAResult.check(wamim_cuDeviceGetAttribute(&value, attribute, device), "ask for the GPU's properties")
    return Int(value)
  }

  private static func model(of device: wamim_cuda_device) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { name in
      name.initialize(repeating: 0)
      guard wamim_cuDeviceGetName(name.baseAddress, Int32(name.count), device) == 0, let base = name.baseAddress else {
        return "GPU"
      }
      return String(cString: base)
    }
  }
}
