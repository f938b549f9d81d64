import WaMIMManifest

/// What is asked of the device that a program shall run on.
package struct DeviceRequest: Sendable {
  /// The memory for gradients that the schedules need that will run.
  package var gradients: GradientMemory
  /// Threads of this machine that compute.
  package var threads: Int
  /// Which one of several devices.
  package var number: Int
  /// Bytes of the arena and of scratch memory that the schedules use that will run.
  package var arenaBytes: Int
  package var scratchBytes: Int
  /// What a device with memory of its own needs of it.
  package var memory: MemoryPlan

  package init(
    _ program: Program, schedules roles: [ScheduleRole], batches: Int = 1, threads: Int, number: Int = 0, sources: Int = 0,
    erases: Bool = false
  ) {
    // Copies of parameters are made of what is read, before anything else runs.
    let schedules = program.manifest.schedules.filter { roles.contains($0.role) || $0.role == .round }
    gradients = !schedules.contains(where: \.usesAccumulators) ? .none : batches > 1 ? .batches : .batch
    arenaBytes = schedules.map(\.arenaBytes).max() ?? 0
    scratchBytes = schedules.map(\.scratchBytes).max() ?? 0
    memory = program.manifest.deviceMemoryPlan(schedules: roles, batches: batches, sources: sources, erases: erases)
    self.threads = threads
    self.number = number
  }
}
