import CPlatform
import Glibc
import Synchronization

/// Where a fixed number of threads wait until all of them have arrived.
///
/// A thread that waits spins for a moment, as most phases end together, and then sleeps. Where there are more threads than processors it
/// sleeps at once, since spinning would keep others from working.
final class Barrier: @unchecked Sendable {
  private let threads: Int
  private let spins: Int
  private let arrived = Atomic<Int>(0)
  private let generation = Atomic<UInt64>(0)
  private let lock = ThreadLock()

  init(threads: Int, processors: Int) {
    self.threads = threads
    spins = threads > processors ? 0 : 4000
  }

  /// Returns when all threads have called it; what they wrote before is then visible to each of them.
  func wait() {
    if threads == 1 { return }
    let current = generation.load(ordering: .acquiring)
    if arrived.add(1, ordering: .acquiringAndReleasing).newValue == threads {
      arrived.store(0, ordering: .relaxed)
      lock.withLock {
        generation.store(current + 1, ordering: .releasing)
        lock.wakeAll()
      }
      return
    }
    for _ in 0..<spins {
      if generation.load(ordering: .acquiring) != current { return }
      wamim_spin_hint()
    }
    lock.withLock {
      while generation.load(ordering: .acquiring) == current { lock.sleep() }
    }
  }
}
