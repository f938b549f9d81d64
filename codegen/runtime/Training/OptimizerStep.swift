import WaMIMManifest

/// How a step of the optimiser is made: on one batch at once by the schedule `step`, or by a round of `gradients` for each micro-batch of
/// each batch and one `update` in the end.
///
/// The gradients of a batch are summed up by themselves, and then the sums of the batches. So it does not matter to the bits whether one
/// process takes all batches or each of several takes one.
package struct OptimizerStep {
  private let model: TrainedModel
  /// Batches of the step that this process takes.
  package let batches: Int
  /// Runs of a schedule on images that make the step.
  package let rounds: Int
  /// Processes that make the step together, and what brings the gradients of the others, where they are wanted.
  private let processes: Int
  private let reduction: StepReduction?

  package init(_ model: TrainedModel, batches: Int, processes: Int = 1, reduction: StepReduction? = nil) {
    self.model = model
    self.batches = batches
    self.processes = processes
    self.reduction = reduction
    rounds = batches * model.program.microBatches
  }

  /// The schedules that steps on `batches` batches in each of `processes` processes run.
  package static func schedules(_ program: Program, batches: Int, processes: Int = 1) -> [ScheduleRole] {
    program.manifest.stepRuns(batches: batches, processes: processes).map(\.schedule)
  }

  /// How a step went.
  package enum Result {
    case made(Losses, learningRate: Float)
    /// The loss of a round is not finite, so the step was left and the states are those before it.
    case left(loss: Float)
    /// The step was left before its last round, and the states are those before it.
    case interrupted
    /// A kernel made a number that is not finite: what a step finds that looks at all of them.
    case found(Manifest.Call, phase: Int)
  }

  /// Makes the step, for which scalars have been set; `fill` writes what the round of that number takes besides, or returns false where
  /// an interruption came first.
  ///
  /// - Parameters:
  ///   - checksValues: Whether each kernel's result is looked at, on one thread.
  ///   - isInterrupted: Asked before each round whether to leave the step.
  package func make(
    checksValues: Bool = false, isInterrupted: () -> Bool = { false }, fill: (Int) throws(TrainerError) -> Bool
  ) throws(TrainerError) -> Result {
    let schedules = Self.schedules(model.program, batches: batches, processes: processes)
    var sums = RoundLosses(model, schedule: schedules[0])
    // Rounds move running statistics along, while parameters wait for the last one.
    let buffers = try rounds > 1 || reduction != nil ? BufferCopy(model) : nil
    var problem = try makeRounds(of: schedules[0], &sums, checksValues, isInterrupted, fill)
    var losses = sums.means(ofBatches: batches)
    if let reduction { problem = try reduction.finish(problem, losses: &losses) }
    if let problem {
      if case .interrupted = problem { try buffers?.restore(to: model) }
      return problem
    }
    if schedules.count > 1, let problem = try run(schedules[1], checksValues: checksValues) { return problem }
    let last = schedules[schedules.count - 1]
    return .made(losses, learningRate: try model.scalar("learning_rate", of: last))
  }

  /// Makes all rounds, and says what kept it from that.
  private func makeRounds(
    of schedule: ScheduleRole, _ losses: inout RoundLosses, _ checksValues: Bool, _ isInterrupted: () -> Bool,
    _ fill: (Int) throws(TrainerError) -> Bool
  ) throws(TrainerError) -> Result? {
    for round in 0..<rounds {
      if isInterrupted() { return .interrupted }
      guard try fill(round) else { return .interrupted }
      let isLast = round == rounds - 1
      let progress = isLast ? try reduction?.begin() : nil
      if let problem = try run(schedule, checksValues: checksValues, telling: progress) { return problem }
      try losses.addRound()
      guard batches > 1, (round + 1).isMultiple(of: model.program.microBatches) else { continue }
      if !isLast { try model.device.setAccumulatorsAside() } else if reduction == nil { try model.device.gatherAccumulators() }
    }
    return nil
  }

  /// Runs a schedule, and says what went wrong.
  private func run(
    _ schedule: ScheduleRole, checksValues: Bool, telling progress: PhaseProgress? = nil
  ) throws(TrainerError) -> Result? {
    if checksValues { return try model.check(schedule).map { .found($0.call, phase: $0.phase) } }
    return try model.run(schedule, telling: progress) ? nil : .left(loss: try model.scalar("loss", of: schedule))
  }
}

/// What a model's buffers held, such as running statistics.
private struct BufferCopy {
  private let tensors: [Manifest.Tensor]
  private let values: [[Float]]

  init(_ model: TrainedModel) throws(TrainerError) {
    tensors = model.program.buffers
    values = try tensors.map { (tensor) throws(TrainerError) in try model.values(tensor) }
  }

  func restore(to model: TrainedModel) throws(TrainerError) {
    for (tensor, values) in zip(tensors, values) { try model.upload(values, to: tensor) }
  }
}
