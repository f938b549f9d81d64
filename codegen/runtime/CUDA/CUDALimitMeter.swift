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
    return MachineLimits(
      threads: 1, oneThreadFlops: arithmetic, allThreadsFlops: arithmetic, productFlops: nil, bandwidth: try bandwidth())
  }

  mutating func openLibrary() throws(TrainerError) { library = try CUBLASProducts(on: device) }

  func librarySeconds(of products: [Manifest.Product]) throws(TrainerError) -> [Double?] {
    var seconds: [Double?] = []
    for product in products { seconds.append(try library?.seconds(of: product)) }
    return seconds
  }

  /// Multiplications and additions of float32 numbers a second, at the highest clock rate.
  private func arithmetic() throws(TrainerError) -> Double {
    let context = device.context
    let major = try context.attribute(Int32(WAMIM_CUDA_CAPABILITY_MAJOR))
    let minor = try context.attribute(Int32(WAMIM_CUDA_CAPABILITY_MINOR))
    // A100's have half as many as all that came later.
    let lanes = major == 8 && minor == 0 ? 64 : 128
    let multiprocessors = try context.attribute(Int32(WAMIM_CUDA_MULTIPROCESSORS))
    return Double(2 * lanes * multiprocessors) * Double(try context.attribute(Int32(WAMIM_CUDA_CLOCK_KILOHERTZ))) * 1e3
  }

  /// Bytes that are read and written a second, by copies within the GPU's memory.
  private func bandwidth() throws(TrainerError) -> Double {
    let bytes = max(1, min(Self.copiedBytes, try device.context.memory().available / 4))
    let from = try CUDAMemory(byteCount: bytes, for: "the measurement of the memory", on: device.context)
    let to = try CUDAMemory(byteCount: bytes, for: "the measurement of the memory", on: device.context)
    let (start, end) = (try CUDAEvent(), try CUDAEvent())
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
