import CPlatform
import WaMIMManifest

/// A training run: the schedule `step` again and again, with fresh images and noise each time.
package struct TrainingRun {
  /// What a run is told.
  package struct Options: Sendable {
    package var epochs: Double
    package var baseLearningRate: Double
    package var warmupEpochs: Double
    package var weightDecay: Double
    package var seed: UInt64
    /// Epochs between checkpoints.
    package var checkpointEvery: Int
    /// The step after which to stop early, as if interrupted.
    package var stepLimit: Int?
    package var loaders: Int

    package init(
      epochs: Double, baseLearningRate: Double, warmupEpochs: Double, weightDecay: Double, seed: UInt64,
      checkpointEvery: Int, stepLimit: Int?, loaders: Int
    ) {
      self.epochs = epochs
      self.baseLearningRate = baseLearningRate
      self.warmupEpochs = warmupEpochs
      self.weightDecay = weightDecay
      self.seed = seed
      self.checkpointEvery = checkpointEvery
      self.stepLimit = stepLimit
      self.loaders = loaders
    }
  }

  /// How a run ended.
  package enum Ending: Sendable, Equatable {
    case finished
    /// A signal or the limit on steps came before the end.
    case interrupted
  }

  package let model: TrainedModel
  package let source: any ImageSource
  package let folder: RunFolder
  package let options: Options
  /// What the checkpoint tells of the options.
  package let recordedOptions: [String: String]

  package init(
    model: TrainedModel, source: any ImageSource, folder: RunFolder, options: Options, recordedOptions: [String: String]
  ) {
    self.model = model
    self.source = source
    self.folder = folder
    self.options = options
    self.recordedOptions = recordedOptions
  }

  /// The order of images in this run.
  package var order: EpochOrder {
    EpochOrder(images: source.count, batch: model.program.manifest.batch, seed: options.seed)
  }

  /// Steps of the whole run.
  package var totalSteps: Int { Int((options.epochs * Double(order.stepsPerEpoch)).rounded(.up)) }

  /// Trains from `firstStep` to the end; the states have to hold what belongs there.
  package func run(from firstStep: Int) throws(TrainerError) -> Ending {
    let batch = try ImageBatch(model.program)
    let loader = try BatchLoader(
      source: source, order: order, augmentation: batch.augmentation, steps: firstStep..<max(firstStep, totalSteps),
      threads: options.loaders)
    defer { loader.stop() }
    wamim_catch_interruptions()
    var progress = Progress(
      firstStep: firstStep, totalSteps: totalSteps, stepsPerEpoch: order.stepsPerEpoch, batch: order.batch)
    defer { progress.finish() }
    let checkpointInterval = options.checkpointEvery * order.stepsPerEpoch
    var step = firstStep
    var savedStep = firstStep
    while step < totalSteps {
      let start = Clock.seconds
      let waited = try loader.next(into: model.values(batch.input), normalization: batch.normalization)
      let metrics = try takeStep(step, start: start, progress: &progress, waited: waited)
      try folder.append(metrics)
      step += 1
      let mustStop = wamim_interruption() != 0 || options.stepLimit.map { step >= $0 } == true
      if step % checkpointInterval == 0 || step == totalSteps || mustStop {
        try save(step: step)
        savedStep = step
      }
      if mustStop && step < totalSteps { return .interrupted }
    }
    if savedStep != step || step == firstStep { try save(step: step) }
    if loader.damagedCount > 0 {
      Console.warn("\(loader.damagedCount) of \(source.count) images could not be read and were replaced by others")
    }
    return .finished
  }

  /// Runs the step of index `step`, whose images are in place, and throws where its loss is not a number.
  private func takeStep(
    _ step: Int, start: Double, progress: inout Progress, waited: Double
  ) throws(TrainerError) -> MetricsLine {
    let schedule = ScheduleSettings(
      baseLearningRate: options.baseLearningRate, batch: order.batch, epochs: options.epochs, warmupEpochs: options.warmupEpochs)
    model.fillNoise(seed: options.seed, step: step)
    model.setSchedule(schedule, progress: Double(step) / Double(order.stepsPerEpoch))
    model.setInput(.weightDecay, to: options.weightDecay)
    model.setMomentCorrections(step: step + 1)
    try model.run("step")
    let loss = try model.scalar("loss", of: "step")
    guard loss.isFinite else {
      progress.finish()
      throw TrainerError(
        "the loss of step \(step + 1) is \(loss), so the run stops; the last checkpoint is kept. A lower --base-lr or a longer "
          + "--warmup may help")
    }
    progress.report(step: step + 1, loss: loss, seconds: Clock.seconds - start, waited: waited)
    return MetricsLine(
      step: step + 1, epoch: Double(step + 1) / Double(order.stepsPerEpoch), loss: loss, losses: lossesByTarget(),
      learningRate: try model.scalar("learning_rate", of: "step"), imagesPerSecond: progress.imagesPerSecond)
  }

  /// The outputs `loss.0`, `loss.1`, … of the last step, as many as there are.
  private func lossesByTarget() -> [Float] {
    var losses: [Float] = []
    while let loss = try? model.scalar("loss.\(losses.count)", of: "step") { losses.append(loss) }
    return losses
  }

  private func save(step: Int) throws(TrainerError) {
    let position = TrainingPosition(
      step: step, stepsPerEpoch: order.stepsPerEpoch, seed: options.seed, options: recordedOptions)
    try Checkpoint.save(model, at: position, to: RunFolder.checkpoint(in: folder.path))
  }
}
