import CPlatform
import CProgram

/// Measures the processor: arithmetic in registers before and after the steps, so that a busy moment counts little, and what takes memory,
/// BLAS and the memory's own rate, only when the steps' peak is known.
struct CPULimitMeter: LimitMeter {
  private let probes: wamim_probes
  private let threads: Int
  private var oneThreadFlops = 0.0
  private var allThreadsFlops = 0.0
  private var matrixUnitFlops: Double?

  /// Seconds for one measurement.
  private static let budget = 0.08

  init(_ program: Program, threads: Int) throws(TrainerError) {
    guard let probes = program.probes else {
      throw TrainerError("this program has no code that measures the machine; compile the model again")
    }
    self.probes = probes
    self.threads = threads
  }

  mutating func measureArithmetic() throws(TrainerError) {
    oneThreadFlops = max(oneThreadFlops, try multiplyAddRate(threads: 1))
    allThreadsFlops = max(allThreadsFlops, try multiplyAddRate(threads: threads))
    guard let function = probes.multiply_matrices else { return }
    let rate = try rate(of: function, roundFlops: probes.matrix_round_flops, threads: threads)
    matrixUnitFlops = max(matrixUnitFlops ?? 0, rate)
  }

  func limits(blas library: String?) throws(TrainerError) -> MachineLimits {
    let sgemm = try sgemm(of: library)
    // Twice, with other work between, as a busy moment is to count little here too.
    let early = try productRate(sgemm)
    let bandwidth = try bandwidth()
    return MachineLimits(
      threads: threads, oneThreadFlops: oneThreadFlops, allThreadsFlops: allThreadsFlops,
      matrixUnitFlops: matrixUnitFlops, productFlops: [early, try productRate(sgemm)].compactMap { $0 }.max(), bandwidth: bandwidth)
  }

  /// The product of matrices of `library`, or where none was asked for, the program's own, else that of the machine's OpenBLAS, if any.
  private func sgemm(of library: String?) throws(TrainerError) -> wamim_sgemm? {
    if library == nil, let linked = wamim_linked_sgemm() { return linked }
    var message: UnsafePointer<CChar>?
    let loaded = wamim_loaded_sgemm(library ?? Self.usualLibrary, &message)
    guard loaded != nil || library == nil else {
      throw TrainerError("cannot load 'cblas_sgemm': \(message.map { String(cString: $0) } ?? "no reason given")")
    }
    return loaded
  }

  /// The library whose products are measured where nothing else is said.
  static let usualLibrary = "libopenblas.so.0"

  // MARK: Arithmetic

  private typealias Probe = @convention(c) (UnsafeMutablePointer<Float>?, Int64) -> Void

  private func multiplyAddRate(threads: Int) throws(TrainerError) -> Double {
    guard let function = probes.multiply_add else { return 0 }
    return try rate(of: function, roundFlops: probes.round_flops, threads: threads)
  }

  /// Multiplications and additions a second of a probe of registers.
  private func rate(of function: @escaping Probe, roundFlops: Int64, threads: Int) throws(TrainerError) -> Double {
    let work = { @Sendable (rounds: Int64) in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 64) { function($0.baseAddress, rounds) }
    }
    // Pieces of a tenth of a millisecond: clocks do not count.
    var rounds: Int64 = 1 << 10
    while rounds < 1 << 40 {
      let start = Clock.nanoseconds
      work(rounds)
      if Clock.nanoseconds - start > 100_000 { break }
      rounds *= 2
    }
    let count = rounds
    let plan = ConcurrentRate.Plan(threads: threads, seconds: Self.budget, stretch: 0.002)
    return try Double(roundFlops) * Double(rounds) * ConcurrentRate.pieces(plan) { _, _ in work(count) }
  }

  private func productRate(_ sgemm: wamim_sgemm?) throws(TrainerError) -> Double? {
    guard let sgemm else { return nil }
    let (m, n, k) = (384, 768, 768)
    let count = m * k + k * n + m * n
    let memory = try MappedMemory(byteCount: 4 * count * threads, for: "the measurement of matrix products")
    let elements = { @Sendable (thread: Int) in (memory.base + 4 * count * thread).assumingMemoryBound(to: Float.self) }
    let pieces = try ConcurrentRate.pieces(
      ConcurrentRate.Plan(threads: threads, seconds: 4 * Self.budget, stretch: 0.01),
      prepare: { elements($0).update(repeating: 0.5, count: count) },
      work: { thread, _ in
        let left = elements(thread)
        wamim_multiply(sgemm, Int32(m), Int32(n), Int32(k), left, left + m * k, left + m * k + k * n)
      })
    return 2 * Double(m * n * k) * pieces
  }

  // MARK: Memory

  /// Bytes of all arrays: beyond the caches of most machines, and no burden to any.
  private static let arrayBytes = 192 << 20

  /// Elements of each array that are a piece of work.
  private static let blockElements = 1 << 16

  private func bandwidth() throws(TrainerError) -> Double {
    guard let function = probes.triad else { return 0 }
    let available = AvailableMemory.resident()?.bytes ?? Int.max
    let block = Self.blockElements
    // Three arrays for each thread.
    let blocks = max(1, min(Self.arrayBytes, available / 2) / (3 * threads * 4 * block))
    let count = blocks * block
    let memory = try MappedMemory(byteCount: 3 * 4 * count * threads, for: "the measurement of the memory")
    let elements = { @Sendable (thread: Int) in (memory.base + 3 * 4 * count * thread).assumingMemoryBound(to: Float.self) }
    let pieces = try ConcurrentRate.pieces(
      ConcurrentRate.Plan(threads: threads, seconds: 2 * Self.budget, stretch: 0.01),
      // Memory is near to the thread that touches it first, and all pages that nobody has written to are the same one.
      prepare: { elements($0).update(repeating: 1, count: 3 * count) },
      work: { thread, piece in
        let start = elements(thread) + piece % blocks * block
        function(start, start + count, start + 2 * count, Int64(block))
      })
    return Double(3 * 4 * block) * pieces
  }
}
