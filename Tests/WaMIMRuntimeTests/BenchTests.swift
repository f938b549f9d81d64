import CFakeProgram
import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

/// What measurements are made of.
@Suite("Measurements") struct BenchTests {
  typealias Piece = ConcurrentRate.Piece

  /// Pieces of `length` nanoseconds each, one after the other, from `start` until `end`.
  private func pieces(from start: UInt64, to end: UInt64, length: UInt64) -> [Piece] {
    stride(from: start, to: end, by: Int(length)).map { Piece(start: $0, end: $0 + length) }
  }

  @Test("A rate is that of all threads together")
  func steadyRate() {
    let threads = [100, 300, 170].map { pieces(from: 1_000_000, to: 9_000_000, length: $0) }
    let rate = ConcurrentRate.best(threads, stretch: 0.002)
    #expect(abs(rate / (1e9 / 100 + 1e9 / 300 + 1e9 / 170) - 1) < 1e-3)
  }

  @Test("Time in which a thread was not let run does not count, where there is enough in which all were")
  func interruptions() {
    // Each thread is held up for half of the time, and all of them run between 5 and 8 ms.
    let first =
      pieces(from: 0, to: 2_000_000, length: 100) + [Piece(start: 2_000_000, end: 5_000_000)]
      + pieces(from: 5_000_000, to: 10_000_000, length: 100)
    let second =
      pieces(from: 0, to: 1_000_000, length: 100) + [Piece(start: 1_000_000, end: 4_000_000)]
      + pieces(from: 4_000_000, to: 8_000_000, length: 100) + [Piece(start: 8_000_000, end: 10_000_000)]
    #expect(abs(ConcurrentRate.best([first, second], stretch: 0.002) / 2e7 - 1) < 1e-3)
    // In all stretches of 6 ms some thread was held up.
    #expect(ConcurrentRate.best([first, second], stretch: 0.006) < 1.9e7)
  }

  @Test(
    "The best stretch is at least the mean, and no more than all threads at their fastest", arguments: 1...20 as ClosedRange<UInt64>
  )
  func bounds(seed: UInt64) {
    var numbers = RandomNumbers(seed: seed, purpose: .benchmark)
    let threads = (0..<1 + numbers.next(below: 4)).map { _ in
      var time: UInt64 = 0
      return (0..<400).map { _ in
        let piece = Piece(start: time, end: time + 5_000 + UInt64(numbers.next(below: 20_000)))
        time = piece.end
        return piece
      }
    }
    let rate = ConcurrentRate.best(threads, stretch: 0.0005)
    let end = threads.compactMap { $0.last?.end }.min() ?? 0
    let mean = threads.reduce(0.0) { $0 + Double($1.count { $0.end <= end }) } / (Double(end) * 1e-9)
    let fastest = threads.reduce(0.0) { $0 + 1e9 / Double($1.map { $0.end - $0.start }.min() ?? 1) }
    #expect(rate > 0.95 * mean && rate <= fastest, "seed \(seed): \(rate), mean \(mean), fastest \(fastest)")
  }

  @Test("Work is done on all threads, after what prepares it")
  func work() throws {
    let prepared = UnsafeMutableBufferPointer<Int>.allocate(capacity: 3 * 64)
    prepared.initialize(repeating: 0)
    defer { prepared.deallocate() }
    let shared = Shared(prepared)
    let rate = try ConcurrentRate.pieces(
      ConcurrentRate.Plan(threads: 3, seconds: 0.01, stretch: 0.001), prepare: { shared.values[64 * $0] = 1 },
      work: { thread, piece in if shared.values[64 * thread] == piece + 1 { shared.values[64 * thread] += 1 } })
    #expect(rate > 0 && (0..<3).allSatisfy { prepared[64 * $0] >= 12 })
  }

  private struct Shared: @unchecked Sendable {
    let values: UnsafeMutableBufferPointer<Int>

    init(_ values: UnsafeMutableBufferPointer<Int>) { self.values = values }
  }

  @Test("A kernel is held against the limit that binds it")
  func limits() {
    let limits = MachineLimits(threads: 4, oneThreadFlops: 3e9, allThreadsFlops: 8e9, productFlops: nil, bandwidth: 4e9)
    // One of four threads may make 2 GFLOP/s and move 1 GB/s.
    #expect(limits.share(flops: 1_000_000_000, bytes: 1_000_000, seconds: 1) == (0.5, .arithmetic))
    #expect(limits.share(flops: 1_000_000, bytes: 800_000_000, seconds: 1) == (0.8, .memory))
    #expect(limits.share(flops: 4_000_000_000, bytes: 4_000_000_000, seconds: 8) == (0.5, .memory))
    #expect(limits.share(flops: 1, bytes: 1, seconds: 0).share == 0)
    // BLAS can do more than the program's own instructions.
    var library = limits
    library.productFlops = 16e9
    #expect(library.share(flops: 1_000_000_000, bytes: 1_000_000, seconds: 1) == (0.25, .arithmetic))
    library.productFlops = 4e9
    #expect(library.share(flops: 1_000_000_000, bytes: 1_000_000, seconds: 1) == (0.5, .arithmetic))
  }

  @Test("Layers of the same shape are told together")
  func patterns() {
    #expect(Manifest.pattern("gradient blocks.11.mlp.fc1") == "gradient blocks.*.mlp.fc1")
    #expect(Manifest.pattern("decoders.0.head.3") == "decoders.*.head.*")
    #expect(Manifest.pattern("fc1.x2") == "fc1.x2")
    #expect(Manifest.pattern("") == "")
  }

  @Test("A plan of memory adds up, and grows with threads, loaders and sources")
  func memoryPlan() throws {
    let manifest = try fakeProgram().manifest
    let plan = manifest.memoryPlan(schedules: [.step], threads: 2)
    #expect(plan.total == plan.rows.reduce(0) { $0 + $1.bytes })
    // The arena, and two threads' scratch memory.
    #expect(plan.total == 27_380 + 2 * 512 + MemoryPlan.processBytes + 2 * MemoryPlan.threadBytes)
    let training = manifest.memoryPlan(schedules: [.step, .forward], threads: 2, sources: 2, loaders: 3)
    // Two batches of bytes for each source.
    #expect(training.total - plan.total == 2 * (2 * 4 * 3 * 16 * 16 + 3 * MemoryPlan.loaderBytes))
  }

  @Test("A timeline holds every call and wait of every thread, in order", arguments: [1, 3])
  func timeline(threads: Int) throws {
    let model = try TrainedModel(program: try fakeProgram(), schedules: [.step], threads: threads)
    let timeline = try model.device.startTimeline(runs: [(try model.program.schedule(.step), 20)])
    for _ in 0..<20 { try model.run(.step) }
    var calls: [Int32: Int] = [:]
    for thread in 0..<threads {
      let events = timeline.events(ofThread: thread)
      #expect(zip(events, events.dropFirst()).allSatisfy { $0.end <= $1.start } && events.allSatisfy { $0.start <= $0.end })
      for event in events { if let description = event.description { calls[description, default: 0] += 1 } }
      // The schedule has two phases, of which the second one ends with the updates of states apart.
      #expect(events.count { $0.description == nil } == 60)
    }
    // Five chunks are six where three threads share them; four samples stay four chunks.
    let shared = threads == 3 ? 120 : 100
    #expect(calls == [0: 80, 1: 20, 2: shared, 3: shared, 5: 20])
  }

  @Test("A timeline that no memory holds is refused")
  func longTimeline() throws {
    let model = try TrainedModel(program: try fakeProgram(), schedules: [.step], threads: 1)
    let runs = [(schedule: try model.program.schedule(.step), count: 1 << 40)]
    let error = #expect(throws: TrainerError.self) { try model.device.startTimeline(runs: runs) }
    #expect(error?.message.contains("profile fewer steps") == true)
  }
}
