import WaMIMManifest

/// How a step of the optimiser is made: on one batch at once by the schedule `step`, or by a round of `gradients` for each micro-batch of
/// each batch and one `update` in the end.
package struct OptimizerStep {
  private let model: TrainedModel
  /// Batches whose gradients the step takes the mean of.
  package let batches: Int
  /// Runs of a schedule on images that make the step.
  package let rounds: Int

  package init(_ model: TrainedModel, batches: Int) {
    self.model = model
    self.batches = batches
    rounds = batches * model.program.microBatches
  }

  /// The schedules that steps on `batches` batches run.
  package static func schedules(_ program: Program, batches: Int) -> [ScheduleRole] {
    program.manifest.stepRuns(batches: batches).map(\.schedule)
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
    let schedules = Self.schedules(model.program, batches: batches)
    var losses = RoundLosses(model, schedule: schedules[0])
    for round in 0..<rounds {
      if isInterrupted() { return .interrupted }
      guard try fill(round) else { return .interrupted }
      if let problem = try run(schedules[0], checksValues: checksValues) { return problem }
      try losses.addRound()
    }
    if rounds > 1, let problem = try run(schedules[1], checksValues: checksValues) { return problem }
    let last = schedules[schedules.count - 1]
    return .made(losses.means(ofBatches: batches), learningRate: try model.scalar("learning_rate", of: last))
  }

  /// Runs a schedule, and says what went wrong.
  private func run(_ schedule: ScheduleRole, checksValues: Bool) throws(TrainerError) -> Result? {
    if checksValues { return try model.check(schedule).map { .found($0.call, phase: $0.phase) } }
    return try model.run(schedule) ? nil : .left(loss: try model.scalar("loss", of: schedule))
  }
}
