/// Counts the time of each kind of call and of waits at barriers, each thread on its own, and adds it up when asked.
final class KernelTimeCounters: @unchecked Sendable {
  private let threads: Int
  /// Kinds of calls; what comes after their entries is for barriers.
  private let descriptions: Int
  /// Entries of one thread, rounded up so that no two threads write to one cache line.
  private let stride: Int
  private let entries: UnsafeMutableBufferPointer<KernelTimes.Entry>

  init(threads: Int, descriptions: Int) {
    self.threads = threads
    self.descriptions = descriptions
    stride = (descriptions + 8) / 4 * 4
    entries = .allocate(capacity: threads * stride)
    entries.initialize(repeating: KernelTimes.Entry())
  }

  deinit {
    entries.deallocate()
  }

  @inline(__always)
  func add(_ nanoseconds: UInt64, description: Int, thread: Int) {
    guard description < descriptions else { return }
    addEntry(nanoseconds, description, thread)
  }

  /// Counts a wait at a barrier.
  @inline(__always)
  func addWait(_ nanoseconds: UInt64, thread: Int) {
    addEntry(nanoseconds, descriptions, thread)
  }

  @inline(__always)
  private func addEntry(_ nanoseconds: UInt64, _ description: Int, _ thread: Int) {
    entries[thread * stride + description].calls += 1
    entries[thread * stride + description].nanoseconds += nanoseconds
  }

  /// What all threads have counted; to be asked between runs.
  var total: KernelTimes {
    KernelTimes(calls: (0..<descriptions).map(total), waiting: total(descriptions))
  }

  private func total(_ description: Int) -> KernelTimes.Entry {
    (0..<threads).reduce(into: KernelTimes.Entry()) { total, thread in
      let entry = entries[thread * stride + description]
      total.calls += entry.calls
      total.nanoseconds += entry.nanoseconds
    }
  }
}
