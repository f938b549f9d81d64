import CPlatform

/// How fast several threads can do pieces of work at the same time.
///
/// Each thread notes when each of its pieces began and ended. The rate is that of the best stretch of time: on a machine that has
/// other things to do as well, one in which all threads were let run. Each stays on a processor of its own, or they might take turns on
/// one.
package final class ConcurrentRate: @unchecked Sendable {
  /// Does a piece, given the thread's number and how many pieces it has done.
  package typealias Work = @Sendable (_ thread: Int, _ piece: Int) -> Void

  /// What is measured, and how.
  package struct Plan: Sendable {
    package var threads: Int
    /// Seconds that all pieces take about.
    package var seconds: Double
    /// The length of the stretches that are compared, in seconds; they get longer where a piece takes more than a third of it.
    package var stretch: Double

    package init(threads: Int, seconds: Double, stretch: Double) {
      self.threads = threads
      self.seconds = seconds
      self.stretch = stretch
    }
  }

  private let plan: Plan
  private let prepare: @Sendable (_ thread: Int) -> Void
  private let work: Work
  private let barrier: Barrier
  /// What each thread has noted.
  private let notes: [Notes]

  /// A thread's pieces, in order.
  private final class Notes {
    var pieces: [Piece] = []
  }

  package struct Piece: Sendable {
    package var start: UInt64
    package var end: UInt64

    package init(start: UInt64, end: UInt64) {
      self.start = start
      self.end = end
    }
  }

  /// The fewest pieces that a thread does.
  private static let leastPieces = 12

  /// The pieces a second that all threads together do of `work` at best; `prepare` comes before, on each thread.
  package static func pieces(
    _ plan: Plan, prepare: @escaping @Sendable (_ thread: Int) -> Void = { _ in }, work: @escaping Work
  ) throws(TrainerError) -> Double {
    let rate = ConcurrentRate(plan, prepare: prepare, work: work)
    var workers: [WorkerThread] = []
    for thread in 0..<plan.threads {
      workers.append(
        try WorkerThread(name: "rate \(thread)") {
          if plan.threads > 1 { wamim_keep_on_processor(Int32(thread)) }
          rate.run(as: thread)
        })
    }
    for worker in workers { worker.join() }
    return best(rate.notes.map(\.pieces), stretch: plan.stretch)
  }

  private init(_ plan: Plan, prepare: @escaping @Sendable (_ thread: Int) -> Void, work: @escaping Work) {
    self.plan = plan
    self.prepare = prepare
    self.work = work
    barrier = Barrier(threads: plan.threads, processors: Int(wamim_available_processors()))
    notes = (0..<plan.threads).map { _ in Notes() }
  }

  private func run(as thread: Int) {
    let notes = notes[thread]
    prepare(thread)
    work(thread, 0)
    barrier.wait()
    let deadline = Clock.nanoseconds + UInt64(plan.seconds * 1e9)
    var start = Clock.nanoseconds
    while start < deadline || notes.pieces.count < Self.leastPieces {
      work(thread, notes.pieces.count + 1)
      let end = Clock.nanoseconds
      notes.pieces.append(Piece(start: start, end: end))
      start = end
    }
  }

  /// Pieces a second in the best stretch of at least `stretch` seconds, where threads did `pieces` without a break.
  ///
  /// Stretches begin with a piece of the first thread, and of a piece that lies in one only in part, that share counts.
  package static func best(_ pieces: [[Piece]], stretch: Double) -> Double {
    guard let first = pieces.first, let end = pieces.compactMap({ $0.last?.end }).min() else { return 0 }
    let usual = first.map { $0.end - $0.start }.sorted()[first.count / 2]
    let length = max(UInt64(stretch * 1e9), 3 * usual, 1)
    var positions = [Int](repeating: 0, count: pieces.count)
    var best = 0.0
    for piece in first {
      // Where there is no whole stretch left, what is left is one.
      let stop = min(piece.start + length, end)
      guard piece.start < stop, best == 0 || stop - piece.start >= length else { break }
      var done = 0.0
      for (thread, list) in pieces.enumerated() {
        while positions[thread] < list.count, list[positions[thread]].end <= piece.start { positions[thread] += 1 }
        var index = positions[thread]
        while index < list.count, list[index].start < stop {
          let (start, end) = (max(list[index].start, piece.start), min(list[index].end, stop))
          if end > start { done += Double(end - start) / Double(list[index].end - list[index].start) }
          index += 1
        }
      }
      best = max(best, done / (Double(stop - piece.start) * 1e-9))
    }
    return best
  }
}
