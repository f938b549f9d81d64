import CPlatform
import WaMIMManifest

/// A training run: steps of the optimiser again and again, with fresh images and noise each time.
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
  /// Labelled images whose nearest neighbours are told after each epoch.
  package let neighbours: (any ImageSource)?
  package let folder: RunFolder
  /// The processes that make the run; the first one evaluates, writes and tells.
  package let group: RankGroup
  package let options: Options
  /// What the checkpoint tells of the model and the images.
  let basis: RunBasis
  /// What the checkpoint tells of the options.
  package let recordedOptions: [String: String]
  /// Where the timeline of the first steps goes, or nil for none.
  private let profile: ReplacedFile?

  package init(
    model: TrainedModel, batch: ImageBatch, source: any ImageSource, validation: (any ImageSource)?,
    neighbours: (any ImageSource)? = nil, folder: RunFolder, group: RankGroup = .alone,
    options: Options, recordedOptions: [String: String], profile: ReplacedFile? = nil
  ) {
    self.model = model
    self.batch = batch
    self.source = source
    self.validation = validation
    self.neighbours = neighbours
    self.folder = folder
    self.group = group
    self.options = options
    self.recordedOptions = recordedOptions
    basis = RunBasis(
      model.program.manifest, batches: options.recipe.batchAccumulation, source: source, validation: validation, ranks: group.count)
    self.profile = profile
  }

  /// The order of images in this run; all that a step takes are one batch of it.
  package var order: EpochOrder {
    EpochOrder(images: source.count, batch: options.recipe.batchAccumulation * model.program.manifest.batch, seed: options.seed)
  }

  /// Batches of a step that this process takes.
  private var ownBatches: Int { group.share.part(of: options.recipe.batchAccumulation).count }

  /// Steps of the whole run.
  package var totalSteps: Int { order.steps(ofEpochs: options.recipe.epochs) }

  /// Trains to the end; the states have to hold what belongs after `resumedStep` steps, or at the start where it is nil.
  package func run(from resumedStep: Int?) throws(TrainerError) -> Ending {
    let firstStep = resumedStep ?? 0
    let unreadable =
      folder.isWritten
      ? try UnreadableImages(.training, listedIn: folder.workPath, movingTo: folder.path, isResuming: firstStep > 0)
      : UnreadableImages(collecting: true)
    let loader = try makeLoader(steps: firstStep..<max(firstStep, totalSteps), unreadable: unreadable)
    defer {
      loader.stop()
      unreadable.summarize(of: source.count)
    }
    wamim_catch_interruptions()
    let epochReport =
      !folder.isWritten
      ? nil
      : try EpochReport(
        self, log: RunLog(folder, manifest: model.program.manifest, resumedStep: resumedStep), unreadable: unreadable,
        isResuming: firstStep > 0)
    defer { epochReport?.summarizeUnreadable() }
    try epochReport?.evaluateWhereMissing(step: firstStep)
    let reduction = group.isAlone ? nil : try StepReduction(group, model, unreadable: unreadable)
    var progress = Progress(
      firstStep: firstStep, totalSteps: totalSteps, stepsPerEpoch: order.stepsPerEpoch, batch: order.batch)
    defer { progress.finish() }
    let profile = try profile.map { (output) throws(TrainerError) in
      try StepProfile(of: model, batches: ownBatches, processes: group.count, steps: options.profileSteps, output: output)
    }
    defer { profile?.finish() }
    let checkpointInterval = options.checkpointEvery ?? order.stepsPerEpoch
    var step = firstStep
    while step < totalSteps {
      let start = Clock.nanoseconds
      guard let line = try takeStep(step, loader: loader, reduction: reduction, profile: profile, progress: &progress) else {
        return try endEarly(after: step, from: firstStep)
      }
      profile?.note(step: step + 1, from: start)
      try epochReport?.log.append(line, isShown: isShown(step))
      step += 1
      if step.isMultiple(of: checkpointInterval) || step == totalSteps {
        try save(step: step)
      }
      if options.stepLimit.map({ step >= $0 }) == true && step < totalSteps {
        return try endEarly(after: step, from: firstStep)
      }
      try epochReport?.tell(afterStep: step)
    }
    if folder.savedStep != step || step == firstStep { try save(step: step) }
    return .finished
  }

  /// Ends the run after `step` steps, saved; where none has been taken that would replace another run, that one stays.
  private func endEarly(after step: Int, from firstStep: Int) throws(TrainerError) -> Ending {
    if folder.savedStep != step && !(folder.isUntouched && step == firstStep) { try save(step: step) }
    return .interrupted
  }

  /// Reads the images of `steps` ahead, and tells `unreadable` of those that cannot be read.
  func makeLoader(
    steps: Range<Int>, unreadable: UnreadableImages = UnreadableImages()
  ) throws(TrainerError) -> BatchLoader {
    try BatchLoader(
      source: source, order: order, staging: try model.makeImageStaging(for: batch), augmentation: batch.augmentation, steps: steps,
      threads: options.loaders, samplesPerBatch: model.program.manifest.batch, share: group.share, unreadable: unreadable)
  }

  /// Makes the step of index `step` on images from `loader`, and says how long it has waited for them.
  ///
  /// - Parameter reduction: What brings the gradients of other ranks; nil for this one's alone, which no run goes on from.
  func makeStep(
    _ step: Int, loader: BatchLoader, reduction: StepReduction? = nil, profile: StepProfile? = nil, checksValues: Bool
  ) throws(TrainerError) -> (result: OptimizerStep.Result, waited: Double) {
    var waited = 0.0
    setScalars(step)
    let maker = OptimizerStep(model, batches: ownBatches, processes: group.count, reduction: reduction)
    let firstRound = group.share.part(of: options.recipe.batchAccumulation).lowerBound * model.program.microBatches
    let isInterrupted = { wamim_interruption() != 0 }
    let fill = { (round: Int) throws(TrainerError) in
      let start = Clock.nanoseconds
      guard let seconds = try loader.next(isInterrupted: isInterrupted) else { return false }
      waited += seconds
      profile?.noteImages(from: start)
      try model.fillNoise(seed: options.seed, step: step, round: firstRound + round)
      return true
    }
    let result = try maker.make(checksValues: checksValues, isInterrupted: isInterrupted, fill: fill)
    return (result, waited)
  }

  /// Sets what is the same in all rounds of the step of index `step`.
  private func setScalars(_ step: Int) {
    let position = RunPosition(
      step: step + 1, progress: Double(step) / Double(order.stepsPerEpoch), imagesPerStep: order.batch,
      batchesPerStep: options.recipe.batchAccumulation)
    model.setScalars(options.recipe, at: position)
  }

  /// Whether TensorBoard is told of the step of index `step`: the first, the last, and some between.
  private func isShown(_ step: Int) -> Bool {
    step == 0 || (step + 1) % options.logEvery == 0 || step + 1 == totalSteps
  }

  /// Makes the step of index `step`, or returns nil where a signal came first; throws where its loss is not a number.
  private func takeStep(
    _ step: Int, loader: BatchLoader, reduction: StepReduction?, profile: StepProfile?, progress: inout Progress
  ) throws(TrainerError) -> MetricsLine? {
    let start = Clock.seconds
    let norms = isShown(step) && folder.isWritten ? NormMeter(model, recipe: options.recipe) : nil
    let secondMoments = try norms?.sumOfSecondMoments()
    let (result, waited) = try makeStep(
      step, loader: loader, reduction: reduction, profile: profile, checksValues: options.checksValues)
    if case .interrupted = result { return nil }
    guard case .made(let losses, let learningRate) = result else {
      progress.finish()
      throw try failure(of: result, step: step).error
    }
    if model.keepsAverages { try model.run(.average) }
    let seconds = Clock.seconds - start
    progress.report(step: step + 1, loss: Float(losses.total), seconds: seconds, waited: waited)
    var line = MetricsLine(
      step: step + 1, epoch: Double(step + 1) / Double(order.stepsPerEpoch), loss: Float(losses.total),
      losses: losses.targets.map { Float($0) },
      learningRate: learningRate, imagesPerSecond: progress.imagesPerSecond, waitingForData: waited / max(seconds, 1e-9))
    if let norms, let secondMoments {
      line.gradientNorm = try norms.gradientNorm(since: secondMoments)
      line.parameterNorm = try norms.parameterNorm()
      line.layerRates = layerRates(learningRate)
    }
    return line
  }

  /// The learning rates of the layers, from the embedding to the head, where they differ; the last one's is `rate`.
  private func layerRates(_ rate: Float) -> [Float]? {
    let layers = model.program.manifest.layersWithRates
    guard layers > 0 else { return nil }
    return (0...layers).reversed().map { rate * Float(options.recipe.layerRate(layersAbove: $0)) }
  }

  private func save(step: Int) throws(TrainerError) {
    let position = TrainingPosition(
      step: step, stepsPerEpoch: order.stepsPerEpoch, seed: options.seed, options: recordedOptions,
      basis: basis, classes: source.classes)
    try folder.save(model, at: position, keeping: options.checkpointsKept)
  }
}

extension TrainingRun {
  /// What has to be the same on all ranks, as text: what the run is told, its images, and the states that it begins with.
  package func fingerprint() throws(TrainerError) -> String {
    // Where images are may differ; which they are may not.
    let options = recordedOptions.filter { !["data", "val", "knn", "labels"].contains($0.key.split { $0 == "." || $0 == "-" }[0]) }
    let states = model.program.states(withAverages: model.keepsAverages)
    let sum = try model.device.sum(.value, over: states)
    return [
      options.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " "), "\(self.options.seed)",
      "\(self.options.stepLimit ?? -1)", basis.graph, "\(basis.images)", "\(sum.bitPattern)",
    ].joined(separator: "\n")
  }
}
