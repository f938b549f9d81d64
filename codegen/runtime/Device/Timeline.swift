/// What each thread did from when to when: calls of kernels, and waits at barriers.
package final class Timeline: @unchecked Sendable {
  /// A stretch of one thread's time, in nanoseconds of the clock.
  package struct Event: Sendable {
    package var start: UInt64
    package var end: UInt64
    /// The entry of the manifest's table that describes the call, or nil for a wait.
    package var description: Int32?
    /// The phase of the schedule, as the compiler numbers them.
    package var phase: Int32
    /// The chunk of the call's group, the units that it covers, and those that the group has.
    package var chunk: Int32
    package var begin: Int32
    package var count: Int32
    package var units: Int32
  }

  /// A stretch of the first thread's time, which may hold other stretches and events.
  package struct Span: Sendable {
    package var name: String
    package var start: UInt64
    package var end: UInt64
  }

  /// The steps, and what else the thread that runs them did.
  package private(set) var spans: [Span] = []

  private let capacity: Int
  /// Room for each thread's events, which takes memory only as it fills up.
  private let storage: [MappedMemory]
  /// The first event of each thread.
  private let events: [UnsafeMutablePointer<Event>]
  /// How many events each thread has noted, each count on a cache line of its own.
  private let counts: UnsafeMutableBufferPointer<Int>
  private static let countStride = 16

  /// - Parameter capacity: The most events of one thread; what comes after is not noted.
  init(threads: Int, capacity: Int) throws(TrainerError) {
    self.capacity = capacity
    storage = try (0..<threads).map { (_) throws(TrainerError) in
      try MappedMemory(
        byteCount: capacity * MemoryLayout<Event>.stride, for: "what a thread does in the profile's steps",
        advice: "profile fewer steps")
    }
    events = storage.map { $0.base.bindMemory(to: Event.self, capacity: capacity) }
    counts = .allocate(capacity: threads * Self.countStride)
    counts.initialize(repeating: 0)
  }

  deinit {
    counts.deallocate()
  }

  /// Notes an event of the calling thread, which has the number `thread`.
  @inline(__always)
  func note(_ event: Event, thread: Int) {
    let count = counts[thread * Self.countStride]
    guard count < capacity else { return }
    (events[thread] + count).initialize(to: event)
    counts[thread * Self.countStride] = count + 1
  }

  /// Names a stretch of the time of the thread that runs the steps.
  package func note(_ name: String, from start: UInt64, to end: UInt64) {
    spans.append(Span(name: name, start: start, end: end))
  }

  /// Threads that events come from.
  package var threadCount: Int { storage.count }

  /// What the thread of number `thread` did, in order.
  package func events(ofThread thread: Int) -> UnsafeBufferPointer<Event> {
    UnsafeBufferPointer(start: events[thread], count: counts[thread * Self.countStride])
  }
}
