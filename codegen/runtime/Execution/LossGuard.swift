import CProgram
import WaMIMManifest

/// The moment of a schedule at which its loss is known and no state has changed yet.
///
/// A step whose loss is not finite is left there, so that the states stay those before the step.
struct LossGuard {
  /// The last phase that touches the loss.
  let phase: Int
  /// Bytes from the start of the arena to the loss.
  let offset: Int
  /// Where the optimiser's moments begin in the arena: only updates touch them, and every parameter's update touches its own.
  private let moments: Set<UInt64>

  /// The guard of a schedule, or nil where it has no loss, updates nothing, or updates states before the loss is known.
  init?(_ schedule: wamim_schedule, described: Manifest.Schedule, states: [Manifest.State]) {
    guard let loss = described.outputs.first(where: { $0.name == "loss" }) else { return nil }
    moments = Set(states.filter { !$0.isParameter }.map { UInt64($0.tensor.offset) })
    offset = loss.offset
    var lossPhase: Int?
    var firstUpdate: Int?
    for (index, phase) in schedule.allPhases.enumerated() {
      for group in phase.allGroups {
        let touchesLoss = group.touches([UInt64(loss.offset)])
        let isUpdate = group.touches(moments)
        if touchesLoss && isUpdate { return nil }
        if touchesLoss { lossPhase = index }
        if isUpdate, firstUpdate == nil { firstUpdate = index }
      }
    }
    guard let lossPhase, let firstUpdate, lossPhase <= firstUpdate else { return nil }
    phase = lossPhase
  }

  /// The groups of a phase in the order in which they have to run: those of the loss's phase that update states wait for the others.
  func parts(ofPhase index: Int, _ groups: [wamim_group]) -> [[wamim_group]] {
    guard index == phase else { return [groups] }
    let updates = groups.filter { $0.touches(moments) }
    return updates.isEmpty ? [groups] : [groups.filter { !$0.touches(moments) }, updates]
  }
}

extension wamim_schedule {
  var allPhases: UnsafeBufferPointer<wamim_phase> { UnsafeBufferPointer(start: phases, count: Int(phase_count)) }
}

extension wamim_phase {
  var allGroups: UnsafeBufferPointer<wamim_group> { UnsafeBufferPointer(start: groups, count: Int(group_count)) }
}

extension wamim_group {
  /// The arguments of all calls.
  var arguments: some Sequence<wamim_argument> {
    UnsafeBufferPointer(start: calls, count: Int(call_count)).lazy.flatMap { call in
      UnsafeBufferPointer(start: call.arguments, count: Int(call.argument_count))
    }
  }

  /// Whether an argument begins at one of `offsets` in the arena.
  fileprivate func touches(_ offsets: Set<UInt64>) -> Bool {
    arguments.contains { $0.storage == UInt32(WAMIM_STORAGE_ARENA) && offsets.contains($0.offset) }
  }
}
