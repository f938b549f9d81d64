import CCUDA
import WaMIMManifest

/// Tells what a GPU can do at most: its arithmetic by what it says of itself, its memory by a copy.
struct CUDALimitMeter: LimitMeter {
  private let device: CUDADevice
  private var library: CUBLASProducts?

  /// Bytes that are copied to measure the memory, where there is room for them twice.
  private static let copiedBytes = 512 << 20
  private static let copies = 8

  init(device: CUDADevice) { self.device = device }

  /// There is nothing that a busy moment would change.
  mutating func measureArithmetic() {}

  func limits(blas library: String?) throws(TrainerError) -> MachineLimits {
    guard library == nil else { throw TrainerError("--blas is about CPUs' products; leave it out") }
    let arithmetic = try arithmetic()
    let usesTensorCores = device.program.manifest.products.contains { $0.factor == .bfloat16 }
    return MachineLimits(
      threads: 1, oneThreadFlops: arithmetic.float32, allThreadsFlops: arithmetic.float32,
      matrixUnitFlops: usesTensorCores ? arithmetic.bfloat16 : nil, productFlops: nil, bandwidth: try bandwidth())
  }

  mutating func openLibrary() throws(TrainerError) { library = try CUBLASProducts(on: device) }

  func librarySeconds(of products: [Manifest.Product]) throws(TrainerError) -> [Double?] {
    var seconds: [Double?] = []
    for product in products { seconds.append(try library?.seconds(of: product)) }
    return seconds
  }

  /// Multiplications and additions a second at the highest clock rate: of float32 numbers, and of bf16 ones on tensor cores, dense.
  private func arithmetic() throws(TrainerError) -> (float32: Double, bfloat16: Double) {
    let context = device.context
    let major = try context.attribute(Int32(WAMIM_CUDA_CAPABILITY_MAJOR))
    let minor = try context.attribute(Int32(WAMIM_CUDA_CAPABILITY_MINOR))
    let multiprocessors = try context.attribute(Int32(WAMIM_CUDA_MULTIPROCESSORS))
    let cycles = Double(multiprocessors) * Double(try context.attribute(Int32(WAMIM_CUDA_CLOCK_KILOHERTZ))) * 1e3
    // What one multiprocessor makes in a cycle, by NVIDIA's descriptions of the architectures.
    let perCycle: (float32: Double, bfloat16: Double) =
      switch (major, minor) {
      case (8, 0): (128, 2048)
      case (9, _): (256, 4096)
      case (10, _): (256, 8192)
      default: (256, 1024)
      }
    return (perCycle.float32 * cycles, perCycle.bfloat16 * cycles)
  }

  /// Bytes that are read and written a second, by copies within the GPU's memory.
  private func bandwidth() throws(TrainerError) -> Double {
    let bytes = max(1, min(Self.copiedBytes, try device.context.memory().available / 4))
    let from = try CUDAMemory(byteCount: bytes, for: "the measurement of the memory", on: device.context)
    let to = try CUDAMemory(byteCount: bytes, for: "the measurement of the memory", on: device.context)
    let (start, end) = (try CUDAEvent(on: device.context), try CUDAEvent(on: device.context))
    for copy in 0...Self.copies {
      // The first one wakes the GPU.
      if copy == 1 { try start.record(in: device.stream) }
      try CUDAResult.check(
        wamim_cuMemcpyDtoDAsync(to.address, from.address, bytes, device.stream.handle), "copy memory of the GPU")
    }
    try end.record(in: device.stream)
    try device.stream.wait(for: "copy memory of the GPU")
    let seconds = max(Double(try end.nanoseconds(since: start)) * 1e-9, 1e-9)
    return Double(2 * Self.copies * bytes) / seconds
  }
}
