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

  /// The guard of a schedule, or nil where it has no loss, updates nothing, or updates states before the loss is known.
  init?(_ schedule: wamim_schedule, described: Manifest.Schedule, states: [Manifest.State]) {
    guard let loss = described.outputs.first(where: { $0.name == "loss" }) else { return nil }
    // Only updates touch the optimiser's moments, and every parameter's update touches its own.
    let moments = Set(states.filter { !$0.isParameter }.map { UInt64($0.tensor.offset) })
    var lossPhase: Int?
    var firstUpdate: Int?
    for (index, phase) in UnsafeBufferPointer(start: schedule.phases, count: Int(schedule.phase_count)).enumerated() {
      for argument in phase.arguments where argument.storage == UInt32(WAMIM_STORAGE_ARENA) {
        if argument.offset == UInt64(loss.offset) { lossPhase = index }
        if firstUpdate == nil, moments.contains(argument.offset) { firstUpdate = index }
      }
    }
    guard let lossPhase, let firstUpdate, lossPhase < firstUpdate else { return nil }
    phase = lossPhase
    offset = loss.offset
  }
}

extension wamim_phase {
  /// The arguments of all calls.
  var arguments: some Sequence<wamim_argument> {
    UnsafeBufferPointer(start: groups, count: Int(group_count)).lazy.flatMap { group in
      UnsafeBufferPointer(start: group.calls, count: Int(group.call_count)).lazy.flatMap { call in
        UnsafeBufferPointer(start: call.arguments, count: Int(call.argument_count))
      }
    }
  }
}
