import CProgram
import WaMIMManifest

/// The moment of a schedule at which its loss is known and no state has changed yet.
///
/// A step whose loss is not finite is left there, so that the states stay those before the step.
struct LossGuard {
  /// The phase at whose end the loss is known.
  let phase: Int
  /// Bytes from the start of the arena to the loss.
  let offset: Int

  /// The guard of a schedule, or nil where it has no loss or changes nothing.
  init?(_ schedule: Manifest.Schedule) {
    guard let phase = schedule.lossPhase, let loss = schedule.outputs.first(where: { $0.tensor.name == "loss" }) else { return nil }
    self.phase = phase
    offset = loss.tensor.offset
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
}
