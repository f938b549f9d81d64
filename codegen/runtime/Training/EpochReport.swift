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

  private func evaluate(step: Int) throws(TrainerError) {
    var line = ValidationLine(step: step, epoch: Double(step) / Double(run.order.stepsPerEpoch))
    var found: [String] = []
    if let neighbours {
      guard let accuracy = try neighbours.evaluate() else { return }
      line.neighbourAccuracy = accuracy
      found += accuracy.sorted { $0.key < $1.key }.map { "\($0.key) \(Format.fixed(100 * $0.value, decimals: 2)) % of neighbours" }
    }
    if let classifier { return try evaluate(classifier, into: line, found: found) }
    if let validation {
      guard let losses = try validation.evaluate() else { return }
      // JSON has no way to write numbers that are not finite.
      guard losses.total.isFinite else { return Console.warn("the validation loss after step \(step) is \(losses.total)") }
      (line.validationLoss, line.validationLosses) = (losses.total, losses.targets)
      found.insert("validation loss \(Format.fixed(losses.total, decimals: 4))", at: 0)
    }
    if !found.isEmpty { try tell(line, found) }
  }

  /// Takes in what an evaluation has found.
  private func tell(_ line: ValidationLine, _ found: [String]) throws(TrainerError) {
    try log.append(line)
    Console.print("\(Console.isTerminal ? "\n" : "")\(found.joined(separator: ", ")) after step \(line.step)")
  }

  private func evaluate(_ classifier: ClassifierValidation, into line: ValidationLine, found: [String]) throws(TrainerError) {
    guard let (score, mistakes) = try classifier.evaluate() else { return }
    var line = line
    let step = line.step
    (line.validationLoss, line.validationLosses) = (score.loss, [])
    line.validationAccuracy = score.accuracies(isWeighted: run.validation?.isWeighted ?? false)
    try tell(line, ["validation loss \(Format.fixed(score.loss, decimals: 4)), \(score.summary)"] + found)
    guard run.options.pictureEvery > 0 else { return }
    if score.classes.count <= ConfusionPicture.maximumClasses {
      try log.append(ConfusionPicture.draw(score), tag: "confusion", step: step)
    }
    if let picture = try classifier.draw(mistakes) { try log.append(picture, tag: "mistakes", step: step) }
  }
}
