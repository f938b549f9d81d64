import WaMIMManifest

/// A program on a device: tensors can be read and written, and schedules run by their roles.
package final class TrainedModel {
  package let program: Program
  package let device: any Device
  /// What the process takes at most, and what it takes of a GPU's memory, where it computes on one.
  package let memoryPlan: MemoryPlan
  package let deviceMemoryPlan: MemoryPlan?
  /// The memory that the device has for gradients.
  private let gradients: GradientMemory
  /// Whether running means of the parameters are kept.
  package let keepsAverages: Bool
  /// Whether nothing has been written to states yet, so that they are zero.
  private var isFresh = true
  /// Whether states have been written since the parameters were last rounded.
  private var hasStaleCopies = true
  /// Inputs of one value that have been set since the last run of a schedule.
  private var scalars: [ScalarInput] = []

  /// Checks the memory, and makes the device.
  ///
  /// - Parameters:
  ///   - schedules: What will be run; memory is checked for the largest of them.
  ///   - batches: How many batches the process takes of a step.
  ///   - number: Which one of several devices.
  ///   - sources: The sources of images that are read meanwhile, with `loaders` threads each.
  ///   - indexBytes: What the sources hold to find their images.
  ///   - orderBytes: What the orders will take in which images are shown.
  ///   - erases: Whether parts of images are replaced by noise.
  package init(
    program: Program, schedules: [ScheduleRole], batches: Int = 1, threads: Int, device number: Int = 0, sources: Int = 0,
    loaders: Int = 0, indexBytes: Int = 0, orderBytes: Int = 0, erases: Bool = false
  ) throws(TrainerError) {
    for role in schedules { _ = try program.schedule(role) }
    let request = DeviceRequest(
      program, schedules: schedules, batches: batches, threads: threads, number: number, sources: sources,
      erases: erases)
    memoryPlan = program.manifest.memoryPlan(
      schedules: schedules, batches: batches, threads: threads, sources: sources, loaders: loaders,
      indexBytes: indexBytes + orderBytes, erases: erases)
    try MemoryCheck.check(memoryPlan, held: indexBytes)
    self.program = program
    gradients = request.gradients
    deviceMemoryPlan = program.deviceCode == nil ? nil : request.memory
    keepsAverages = schedules.contains(.average)
    device = try DeviceMaker.current.make(program, request)
  }

  // MARK: Inputs and states

  /// Sets every element of `input`, for the runs that follow.
  func set(_ input: Manifest.Tensor, to value: Double) {
    scalars.removeAll { $0.tensor.offset == input.offset }
    scalars.append(ScalarInput(tensor: input, value: Float(value)))
  }

  /// Gives every state its first value, but for running means of parameters.
  package func initializeStates(
    seed: UInt64, where isIncluded: (Manifest.State) -> Bool = { _ in true }
  ) throws(TrainerError) {
    // Fresh memory is zero, and large moments that stay untouched until the first step make for a quick start.
    let states = program.manifest.states.filter {
      isIncluded($0) && !$0.role.isAverage && !$0.role.isRounded && !(isFresh && $0.initializer == .constant(0))
    }
    isFresh = false
    noteWrittenStates()
    try device.fill(states.map(\.tensor)) { index, elements in
      elements.withUnsafeMutableBufferPointer {
        InitialValues.fill($0, of: states[index].tensor.name, by: states[index].initializer, seed: seed)
      }
    }
  }

  /// Tells that states have been written from outside, so that what follows from them has to be made again.
  package func noteWrittenStates() { hasStaleCopies = true }

  /// Fills the noise of a round of `step` with independent uniform numbers: those that its samples have among all of the step.
  package func fillNoise(seed: UInt64, step: Int, round: Int) throws(TrainerError) {
    for (index, input) in program.manifest.inputs.enumerated() where input.binding.isRandom {
      let numbers = RandomNumbers(seed: seed, purpose: .noise, UInt64(step), UInt64(index))
      let offsets = SampleOffsets(input, round: round, microBatches: program.microBatches)
      try device.fill([input.tensor]) { _, elements in
        for position in elements.indices { elements[position] = numbers.uniform(at: UInt64(offsets[position])) }
      }
    }
  }

  /// Memory for images on their way to `batch`, one batch more than the model works on.
  package func makeImageStaging(for batch: ImageBatch) throws(TrainerError) -> any ImageStaging {
    try device.makeImageStaging(slots: max(2, Manifest.waitingBatches * program.microBatches), for: batch)
  }

  // MARK: Schedules

  /// Runs a schedule, and says whether it came to its end: one that trains stops where its loss is not finite, before it
  /// changes a state.
  ///
  /// - Parameter progress: Told how far the schedule is.
  @discardableResult
  package func run(_ role: ScheduleRole, telling progress: PhaseProgress? = nil) throws(TrainerError) -> Bool {
    try device.run(schedule: try prepared(role), telling: progress)
  }

  /// Runs a schedule slowly, and returns the first call that made a number that is not finite, which ends it.
  package func check(_ role: ScheduleRole) throws(TrainerError) -> (call: Manifest.Call, phase: Int)? {
    guard let result = try device.check(schedule: try prepared(role)) else { return nil }
    let calls = program.manifest.calls
    let unknown = Manifest.Call(name: "call \(result.description)", kind: "?", kernel: 0, flops: 0, productFlops: 0, bytes: 0)
    return (result.description < calls.count ? calls[result.description] : unknown, result.phase)
  }

  /// Notes from now on what computes when, with room for `steps` steps on `batches` batches each, of one of `processes`.
  package func startTimeline(batches: Int, processes: Int = 1, steps: Int) throws(TrainerError) -> Timeline {
    var runs: [(schedule: Int, count: Int)] = []
    for run in program.manifest.stepRuns(batches: batches, processes: processes) {
      runs.append((try program.schedule(run.schedule), steps * run.count))
    }
    if keepsAverages { runs.append((try program.schedule(.average), steps)) }
    return try device.startTimeline(runs: runs)
  }

  /// The index of the schedule for `role`, which is about to be run on what has been set.
  private func prepared(_ role: ScheduleRole) throws(TrainerError) -> Int {
    let index = try program.schedule(role)
    guard gradients != .none || !program.manifest.schedules[index].usesAccumulators else {
      throw TrainerError("the schedule `\(role.rawValue)` has no memory to add up gradients in")
    }
    isFresh = false
    if !scalars.isEmpty { try device.upload(scalars) }
    scalars = []
    if hasStaleCopies, role != .average, let rounding = try? program.schedule(.round) {
      _ = try device.run(schedule: rounding)
      hasStaleCopies = false
    }
    return index
  }
}
