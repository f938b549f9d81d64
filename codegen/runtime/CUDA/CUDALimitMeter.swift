import CCUDA
import WaMIMManifest

/// Tells what a GPU can do at most, by loops in registers and by a copy in its memory.
struct CUDALimitMeter: LimitMeter {
  private let device: CUDADevice
  private var library: CUBLASProducts?

  /// Bytes that are copied to measure the memory, where there is room for them twice.
  private static let copiedBytes = 512 << 20
  private static let copies = 8

  init(device: CUDADevice) { self.device = device }

  /// A GPU is not asked before it has trained, as CPUs are, whose clock rates fall.
  mutating func measureArithmetic() {}

  func limits(blas library: String?) throws(TrainerError) -> MachineLimits {
    guard library == nil else { throw TrainerError("--blas is about CPUs' products; leave it out") }
    let float32 = try rate(of: "wamim_multiply_numbers", blocksEach: 8, flops: Double(1 << 18))
    let usesTensorCores = device.program.manifest.precision == .bfloat16
    return MachineLimits(
      threads: 1, oneThreadFlops: float32, allThreadsFlops: float32, matrixUnitFlops: usesTensorCores ? try tensorCoreRate() : nil,
      productFlops: nil, bandwidth: try bandwidth())
  }

  mutating func openLibrary() throws(TrainerError) { library = try CUBLASProducts(on: device) }

  func librarySeconds(of products: [Manifest.Product]) throws(TrainerError) -> [Double?] {
    var seconds: [Double?] = []
    for product in products { seconds.append(try library?.seconds(of: product)) }
    return seconds
  }

  /// Multiplications and additions of bf16 numbers a second on tensor cores: as products of single warps make them, and at the highest
  /// clock rate where warp groups multiply, which are faster.
  private func tensorCoreRate() throws(TrainerError) -> Double {
    let measured = try rate(of: "wamim_multiply_pairs", blocksEach: 2, flops: Double(1 << 20))
    guard device.context.image.multipliesByWarpGroups else { return measured }
    let multiprocessors = try device.context.attribute(Int32(WAMIM_CUDA_MULTIPROCESSORS))
    let hertz = Double(try device.context.attribute(Int32(WAMIM_CUDA_CLOCK_KILOHERTZ))) * 1e3
    return max(measured, Double(multiprocessors) * Self.flopsOfWarpGroups * hertz)
  }

  /// What the warp groups of a multiprocessor make in a cycle, by NVIDIA's description of Hopper.
  private static let flopsOfWarpGroups = 4096.0
  /// A loop is made longer until it takes so many seconds.
  private static let leastSeconds = 5e-3

  /// Multiplications and additions a second of a function that makes `flops` a round in each of its blocks.
  private func rate(of name: String, blocksEach: Int, flops: Double) throws(TrainerError) -> Double {
    let blocks = blocksEach * (try device.context.attribute(Int32(WAMIM_CUDA_MULTIPROCESSORS)))
    let function = try device.module.function(name)
    let (start, end) = (try CUDAEvent(on: device.context), try CUDAEvent(on: device.context))
    var rounds = 1
    while true {
      try start.record(in: device.stream)
      try CUDALaunch(function: function, blocks: blocks, threads: 256, parameters: [0, UInt64(rounds)], name: name).run(
        on: device.stream)
      try end.record(in: device.stream)
      try device.stream.wait(for: "measure the GPU's arithmetic")
      let seconds = max(Double(try end.nanoseconds(since: start)) * 1e-9, 1e-9)
      if seconds >= Self.leastSeconds || rounds >= 1 << 24 { return Double(blocks) * Double(rounds) * flops / seconds }
      rounds *= 8
    }
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
