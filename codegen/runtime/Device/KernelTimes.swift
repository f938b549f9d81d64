/// Time spent in each kind of call and at barriers.
package struct KernelTimes: Sendable {
  /// What has been measured of one entry of the manifest's table of calls.
  package struct Entry: Sendable {
    /// Calls, each chunk's counted on its own.
    package var calls = 0
    /// Nanoseconds, added over threads.
    package var nanoseconds: UInt64 = 0

    package init() {}
  }

  /// What each entry of the manifest's table has taken.
  package var calls: [Entry]
  /// What all threads have spent waiting at barriers.
  package var waiting: Entry

  package init(calls: [Entry], waiting: Entry) {
    self.calls = calls
    self.waiting = waiting
  }
}
