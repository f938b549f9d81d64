import CPlatform
import WaMIMManifest

/// A training run: the schedule `step` again and again, with fresh images and noise each time.
package struct TrainingRun {
  /// How a run ended.
  package enum Ending: Sendable, Equatable {
    case finished
    /// A signal or the limit on steps came before the end.
    case interrupted
  }

  package let model: TrainedModel
  package let batch: ImageBatch
  package let source: any ImageSource
  /// Images to evaluate on after each epoch.
  package let validation: (any ImageSource)?
  package let folder: RunFolder
  package let options: Options
  /// What the checkpoint tells of the options.
  package let recordedOptions: [String: String]

  package init(
    model: TrainedModel, batch: ImageBatch, source: any ImageSource, validation: (any ImageSource)?, folder: RunFolder,
    options: Options, recordedOptions: [String: String]
  ) {
    self.model = model
    self.batch = batch
    self.source = source
    self.validation = validation
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

  /// Trains to the end; the states have to hold what belongs after `resumedStep` steps, or at the start where it is nil.
  package func run(from resumedStep: Int?) throws(TrainerError) -> Ending {
    let firstStep = resumedStep ?? 0
    let unreadable = try UnreadableImages(.training, listedIn: folder.path, isResuming: firstStep > 0)
    let loader = try makeLoader(steps: firstStep..<max(firstStep, totalSteps), unreadable: unreadable)
    defer {
      loader.stop()
      unreadable.summarize(of: source.count)
    }
    wamim_catch_interruptions()
    let epochReport = try EpochReport(
      self, log: RunLog(folder, manifest: model.program.manifest, resumedStep: resumedStep), unreadable: unreadable,
      isResuming: firstStep > 0)
    defer { epochReport.summarizeUnreadable() }
    try epochReport.evaluateWhereMissing(step: firstStep)
    var progress = Progress(
      firstStep: firstStep, totalSteps: totalSteps, stepsPerEpoch: order.stepsPerEpoch, batch: order.batch)
    defer { progress.finish() }
    let profile = try options.profile.map { (profile) throws(TrainerError) in
      try StepProfile(of: model, steps: profile.steps, path: profile.path)
    }
    let checkpointInterval = options.checkpointEvery ?? order.stepsPerEpoch
    var step = firstStep
    var savedStep = resumedStep
    while step < totalSteps {
      let start = Clock.nanoseconds
      let waited = try loader.next(into: model.values(batch.input), normalization: batch.normalization)
      let loaded = Clock.nanoseconds
      let line = try takeStep(step, start: Double(start) * 1e-9, progress: &progress, waited: waited, savedStep: savedStep)
      try profile?.note(step: step + 1, from: start, loaded: loaded)
      try epochReport.log.append(line, isShown: isShown(step))
      step += 1
      let mustStop = wamim_interruption() != 0 || options.stepLimit.map { step >= $0 } == true
      if step % checkpointInterval == 0 || step == totalSteps || mustStop {
        try save(step: step)
        savedStep = step
      }
      if mustStop && step < totalSteps {
        try profile?.finish()
        return .interrupted
      }
      try epochReport.tell(afterStep: step)
    }
    if savedStep != step || step == firstStep { try save(step: step) }
    try profile?.finish()
    return .finished
  }

  /// Reads the images of `steps` ahead, and tells `unreadable` of those that cannot be read.
  func makeLoader(
    steps: Range<Int>, unreadable: UnreadableImages = UnreadableImages()
  ) throws(TrainerError) -> BatchLoader {
    try BatchLoader(
      source: source, order: order, augmentation: batch.augmentation, steps: steps, threads: options.loaders,
      unreadable: unreadable)
  }

  /// Writes everything but the images that the step of index `step` takes.
  func fillInputs(_ step: Int) {
    let schedule = ScheduleSettings(
      baseLearningRate: options.baseLearningRate, batch: order.batch, epochs: options.epochs, warmupEpochs: options.warmupEpochs)
    model.fillNoise(seed: options.seed, step: step)
    model.setSchedule(schedule, progress: Double(step) / Double(order.stepsPerEpoch))
    model.setInput(.weightDecay, to: options.weightDecay)
    model.setMomentCorrections(step: step + 1)
  }

  /// Whether TensorBoard is told of the step of index `step`: the first, the last, and some between.
  private func isShown(_ step: Int) -> Bool {
    step == 0 || (step + 1) % options.logEvery == 0 || step + 1 == totalSteps
  }

  /// Runs the step of index `step`, whose images are in place, and throws where its loss is not a number.
  private func takeStep(
    _ step: Int, start: Double, progress: inout Progress, waited: Double, savedStep: Int?
  ) throws(TrainerError) -> MetricsLine {
    fillInputs(step)
    let norms = isShown(step) ? NormMeter(model) : nil
    let secondMoments = norms?.sumOfSecondMoments()
    var isComplete = true
    if options.checksValues {
      if let (call, phase) = try model.check("step") {
        progress.finish()
        throw StepFailure(
          step: step + 1, loss: .nan, finding: .kernel(call, phase: phase), folder: folder.path, savedStep: savedStep
        ).error
      }
    } else {
      isComplete = try model.run("step")
    }
    let loss = try model.scalar("loss", of: "step")
    guard isComplete, loss.isFinite else {
      progress.finish()
      throw try failure(ofStep: step, loss: loss, statesAreThose: !isComplete, savedStep: savedStep).error
    }
    let seconds = Clock.seconds - start
    progress.report(step: step + 1, loss: loss, seconds: seconds, waited: waited)
    var line = MetricsLine(
      step: step + 1, epoch: Double(step + 1) / Double(order.stepsPerEpoch), loss: loss,
      losses: model.losses(ofTargetsIn: "step"),
      learningRate: try model.scalar("learning_rate", of: "step"), imagesPerSecond: progress.imagesPerSecond,
      waitingForData: waited / max(seconds, 1e-9))
    if let norms, let secondMoments {
      line.gradientNorm = norms.gradientNorm(since: secondMoments)
      line.parameterNorm = norms.parameterNorm()
    }
    return line
  }

  private func save(step: Int) throws(TrainerError) {
    let position = TrainingPosition(
      step: step, stepsPerEpoch: order.stepsPerEpoch, seed: options.seed, options: recordedOptions)
    try folder.save(model, at: position, keeping: options.checkpointsKept)
  }
}
