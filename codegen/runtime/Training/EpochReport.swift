import WaMIMManifest

/// What a run does between epochs: evaluates on other images, and draws what the model predicts.
struct EpochReport {
  let log: RunLog
  private let run: TrainingRun
  private let validation: Validation?
  /// The validation of a classifier, in the place of the other one.
  private let classifier: ClassifierValidation?
  /// The nearest neighbours of labelled images.
  private let neighbours: NeighbourWatch?
  private let gallery: Gallery?
  /// The validation's images that cannot be read, where there is one.
  private let unreadable: UnreadableImages?

  /// Images in a picture for TensorBoard.
  private static let pictureRows = 4

  /// - Parameters:
  ///   - unreadable: Takes note of images to train on that cannot be read.
  ///   - isResuming: Whether the run goes on with what its folder lists.
  init(_ run: TrainingRun, log: RunLog, unreadable training: UnreadableImages, isResuming: Bool) throws(TrainerError) {
    self.run = run
    self.log = log
    neighbours = try run.neighbours.map { (source) throws(TrainerError) in
      try NeighbourWatch(
        run.model, source: source, batch: run.batch, loaders: run.options.loaders, threads: run.model.device.threadCount)
    }
    if let source = run.validation {
      let unreadable = try UnreadableImages(
        .validation, listedIn: run.folder.workPath, movingTo: run.folder.path, isResuming: isResuming)
      self.unreadable = unreadable
      if source.classes != nil, ClassifierPass.isClassifier(run.model.program) {
        validation = nil
        classifier = try ClassifierValidation(
          run.model, source: source, batch: run.batch, loaders: run.options.loaders, unreadable: unreadable)
        gallery = nil
        return
      }
      classifier = nil
      let validation = try Validation(
        run.model, source: source, batch: run.batch, loaders: run.options.loaders, unreadable: unreadable)
      self.validation = validation
      if validation.imageCount < source.count {
        Console.print("validation: \(validation.imageCount) of \(source.count) images, as many as fill whole batches")
      }
    } else {
      validation = nil
      classifier = nil
      unreadable = nil
    }
    guard run.options.pictureEvery > 0, run.model.program.manifest.pictures != nil else {
      gallery = nil
      return
    }
    do throws(TrainerError) {
      gallery = try Gallery(
        run.model, batch: run.batch, source: run.validation ?? run.source, count: Self.pictureRows, seed: 0, showsLevels: true,
        unreadable: unreadable ?? training)
    } catch {
      // Training goes on without pictures, which a model need not be fit for.
      Console.warn("no pictures for TensorBoard: \(error.message)")
      gallery = nil
    }
  }

  /// Evaluates a run that was stopped between the end of an epoch and its evaluation.
  func evaluateWhereMissing(step: Int) throws(TrainerError) {
    let isEnd = step > 0 && step.isMultiple(of: run.order.stepsPerEpoch)
    if isEnd && !run.folder.isValidated { try evaluate(step: step) }
  }

  /// Does what is due after `step` steps; the checkpoint of an epoch's end has been written then.
  func tell(afterStep step: Int) throws(TrainerError) {
    let stepsPerEpoch = run.order.stepsPerEpoch
    let isLast = step == run.totalSteps
    if step.isMultiple(of: stepsPerEpoch) || isLast { try evaluate(step: step) }
    guard let gallery, isLast || step.isMultiple(of: stepsPerEpoch * run.options.pictureEvery) else { return }
    try log.append(try gallery.draw(), step: step)
  }

  /// Says how many images of the validation could not be read.
  func summarizeUnreadable() {
    if let validation = run.validation { unreadable?.summarize(of: validation.count, areLeftOut: classifier != nil) }
  }

  /// What an evaluation finds, and of a classifier the score and the worst mistakes to draw.
  private struct Findings {
    var figures = ValidationFigures()
    var classified: (score: ClassificationScore, mistakes: Mistakes)?
  }

  private func evaluate(step: Int) throws(TrainerError) {
    guard let found = try findings(), !found.figures.isEmpty else { return }
    var line = ValidationLine(
      step: step, epoch: Double(step) / Double(run.order.stepsPerEpoch), figures: found.figures)
    // JSON has no way to write numbers that are not finite.
    if let loss = line.figures.loss, !loss.isFinite { return Console.warn("the validation loss after step \(step) is \(loss)") }
    if run.model.keepsAverages {
      guard let averaged = try run.model.withAverages({ () throws(TrainerError) in try findings()?.figures }) else { return }
      if averaged.loss?.isFinite ?? true { line.averaged = averaged }
    }
    try log.append(line)
    let averaged = line.averaged.map { "; running means: \($0.summary)" } ?? ""
    Console.print("\(Console.isTerminal ? "\n" : "")\(line.figures.summary) after step \(step)\(averaged)")
    if let (score, mistakes) = found.classified { try draw(score, mistakes, step: step) }
  }

  /// What the model as it is makes of the images to evaluate on; nil where an interruption asks to stop.
  private func findings() throws(TrainerError) -> Findings? {
    var found = Findings()
    if let neighbours {
      guard let accuracy = try neighbours.evaluate() else { return nil }
      found.figures.neighbourAccuracy = accuracy
    }
    if let classifier {
      guard let classified = try classifier.evaluate() else { return nil }
      found.classified = classified
      (found.figures.loss, found.figures.losses) = (classified.score.loss, [])
      found.figures.accuracy = classified.score.accuracies(isWeighted: run.validation?.isWeighted ?? false)
    } else if let validation {
      guard let losses = try validation.evaluate() else { return nil }
      (found.figures.loss, found.figures.losses) = (losses.total, losses.targets)
    }
    return found
  }

  /// Shows how a classifier mistakes images.
  private func draw(_ score: ClassificationScore, _ mistakes: Mistakes, step: Int) throws(TrainerError) {
    guard run.options.pictureEvery > 0 else { return }
    if score.classes.count <= ConfusionPicture.maximumClasses {
      try log.append(ConfusionPicture.draw(score), tag: "confusion", step: step)
    }
    if let picture = try classifier?.draw(mistakes) { try log.append(picture, tag: "mistakes", step: step) }
  }
}
