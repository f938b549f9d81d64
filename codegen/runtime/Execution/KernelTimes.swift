/// Time spent in each kind of call and at barriers, counted by each thread on its own and added up when asked.
package final class KernelTimes: @unchecked Sendable {
  /// What has been measured of one entry of the manifest's table of calls.
  package struct Entry: Sendable {
    /// Calls, tiles counted each on its own.
    package var calls = 0
    /// Nanoseconds, added over threads.
    package var nanoseconds: UInt64 = 0
  }

  private let threads: Int
  /// Kinds of calls; what comes after their entries is for barriers.
  private let descriptions: Int
  /// Entries of one thread, rounded up so that no two threads write to one cache line.
  private let stride: Int
  private let entries: UnsafeMutableBufferPointer<Entry>

  init(threads: Int, descriptions: Int) {
    self.threads = threads
    self.descriptions = descriptions
    stride = (descriptions + 8) / 4 * 4
    entries = .allocate(capacity: threads * stride)
    entries.initialize(repeating: Entry())
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

  /// Starts again from zero.
  package func reset() {
    entries.update(repeating: Entry())
  }

  /// What all threads have spent waiting at barriers.
  package var waiting: Entry { self[descriptions] }

  /// What all threads have spent on the calls of `description`.
  package subscript(description: Int) -> Entry {
    (0..<threads).reduce(into: Entry()) { total, thread in
      let entry = entries[thread * stride + description]
      total.calls += entry.calls
      total.nanoseconds += entry.nanoseconds
    }
  }
}
