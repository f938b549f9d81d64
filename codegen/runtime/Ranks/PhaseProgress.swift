import Synchronization

/// How far a schedule is that another thread runs.
package final class PhaseProgress: Sendable {
  private let count = Atomic<Int>(0)

  package init() {}

  /// Phases that have ended, whose results all threads can read.
  package var endedPhases: Int { count.load(ordering: .acquiring) }

  /// Takes note that `phases` phases have ended.
  package func note(_ phases: Int) { count.store(phases, ordering: .releasing) }

  /// Takes note that no phase is left to wait for.
  package func noteAll() { note(.max) }
}
