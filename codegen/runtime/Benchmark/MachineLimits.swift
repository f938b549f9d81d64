import CPlatform
import CProgram

/// What the machine can do at most, by measurement.
package struct MachineLimits: Encodable, Sendable {
  /// Threads that the limits of all threads together are for.
  package var threads: Int
  /// Multiplications and additions a second that one thread makes in registers, and that all make together.
  package var oneThreadFlops: Double
  package var allThreadsFlops: Double
  /// What BLAS makes of it in products of 384 x 768 by 768 x 768, one for each thread: the OpenBLAS that the program is linked with,
  /// or a library that was asked for; nil where there is neither.
  package var productFlops: Double?
  /// Bytes a second that all threads read and write together in `a = b + 3 c` on arrays that no cache holds.
  package var bandwidth: Double

  package init(threads: Int, oneThreadFlops: Double, allThreadsFlops: Double, productFlops: Double?, bandwidth: Double) {
    self.threads = threads
    self.oneThreadFlops = oneThreadFlops
    self.allThreadsFlops = allThreadsFlops
    self.productFlops = productFlops
    self.bandwidth = bandwidth
  }

  private enum CodingKeys: String, CodingKey {
    case threads
    case oneThreadFlops = "flops_one_thread"
    case allThreadsFlops = "flops_all_threads"
    case productFlops = "sgemm_flops"
    case bandwidth = "bytes_per_second"
  }

  /// Multiplications and additions a second that all threads can make together: BLAS may have better instructions than those that the
  /// program was compiled for.
  package var arithmetic: Double { max(allThreadsFlops, productFlops ?? 0) }

  /// The share of the limit that binds `flops` and `bytes`, done in `seconds` of one thread while the others do the same.
  package func share(flops: Int, bytes: Int, seconds: Double) -> (share: Double, bound: Bound) {
    let arithmetic = Double(flops) * Double(threads) / self.arithmetic
    let memory = Double(bytes) * Double(threads) / bandwidth
    guard seconds > 0 else { return (0, .arithmetic) }
    return (max(arithmetic, memory) / seconds, arithmetic >= memory ? .arithmetic : .memory)
  }

  /// The limit that a piece of work would reach first.
  package enum Bound: String, Encodable, Sendable {
    case arithmetic, memory
  }
}

/// Measures the limits: rates of arithmetic before and after the steps, so that a busy moment counts little, and the memory's after
/// them, when the process's own peak is known.
struct LimitMeter {
  private let probes: wamim_probes
  private let threads: Int
  private var oneThreadFlops = 0.0
  private var allThreadsFlops = 0.0
  private var productFlops: Double?
  /// The product of BLAS whose rate is measured, if any.
  private var sgemm: wamim_sgemm? = wamim_linked_sgemm()

  /// Seconds for one measurement.
  private static let budget = 0.08

  init(_ program: Program, threads: Int) throws(TrainerError) {
    guard let probes = program.probes else {
      throw TrainerError("this program has no code that measures the machine; compile the model again")
    }
    self.probes = probes
    self.threads = threads
  }

  /// Measures the products of the BLAS in the shared library `library` from now on, which takes memory.
  mutating func load(_ library: String) throws(TrainerError) {
    var message: UnsafePointer<CChar>?
    sgemm = wamim_loaded_sgemm(library, &message)
    guard sgemm != nil else {
      throw TrainerError("cannot load 'cblas_sgemm': \(message.map { String(cString: $0) } ?? "no reason given")")
    }
    productFlops = nil
  }

  /// Measures rates of arithmetic, of which the highest ones count.
  mutating func measureArithmetic() throws(TrainerError) {
    oneThreadFlops = max(oneThreadFlops, try multiplyAddRate(threads: 1))
    allThreadsFlops = max(allThreadsFlops, try multiplyAddRate(threads: threads))
    if let sgemm { productFlops = max(productFlops ?? 0, try productRate(sgemm)) }
  }

  /// The limits, with the memory's, which is measured now.
  func limits() throws(TrainerError) -> MachineLimits {
    MachineLimits(
      threads: threads, oneThreadFlops: oneThreadFlops, allThreadsFlops: allThreadsFlops, productFlops: productFlops,
      bandwidth: try bandwidth())
  }

  // MARK: Arithmetic

  private func multiplyAddRate(threads: Int) throws(TrainerError) -> Double {
    guard let function = probes.multiply_add else { return 0 }
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
    return try Double(probes.round_flops) * Double(rounds) * ConcurrentRate.pieces(plan) { _, _ in work(count) }
  }

  private func productRate(_ sgemm: @escaping wamim_sgemm) throws(TrainerError) -> Double {
    let (m, n, k) = (384, 768, 768)
    let count = m * k + k * n + m * n
    let memory = try MappedMemory(byteCount: 4 * count * threads, for: "the measurement of matrix products")
    let elements = { @Sendable (thread: Int) in (memory.base + 4 * count * thread).assumingMemoryBound(to: Float.self) }
    let pieces = try ConcurrentRate.pieces(
      ConcurrentRate.Plan(threads: threads, seconds: Self.budget, stretch: 0.01),
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
