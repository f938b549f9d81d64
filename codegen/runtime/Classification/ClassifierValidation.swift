import WaMIMManifest

/// How a classifier does on images that it is not trained on.
struct ClassifierValidation {
  private let pass: ClassifierPass
  private let source: any ImageSource
  private let augmentation: Augmentation
  private let classes: ClassTable
  private let ranks: [Int]

  /// - Parameter unreadable: Takes note of the images that cannot be read, which are left out.
  init(
    _ model: TrainedModel, source: any ImageSource, batch: ImageBatch, loaders: Int, unreadable: UnreadableImages
  ) throws(TrainerError) {
    guard let classes = source.classes else { throw TrainerError("the images to evaluate on have no classes") }
    self.classes = classes
    self.source = source
    augmentation = batch.forEvaluation.augmentation
    pass = try ClassifierPass(model, source: source, batch: batch, loaders: loaders, unreadable: unreadable)
    ranks = batch.augmentation.recipe.ranks
  }

  /// The score on all images and its worst mistakes; nil where an interruption asks to stop.
  func evaluate() throws(TrainerError) -> (score: ClassificationScore, mistakes: Mistakes)? {
    var score = ClassificationScore(classes, ranks: ranks)
    var mistakes = Mistakes()
    let isComplete = try pass.run { (index, logits) throws(TrainerError) in
      guard let label = source.label(at: index) else { return }
      score.add(label, logits: logits)
      mistakes.add(index, label, Prediction(logits))
    }
    return isComplete ? (score, mistakes) : nil
  }

  /// A picture of mistakes, or nil where there are none.
  func draw(_ mistakes: Mistakes) throws(TrainerError) -> Image? {
    try mistakes.draw(from: source, classes: classes, augmentation: augmentation)
  }
}

extension Recipe {
  /// For which numbers of guesses accuracies are told.
  var ranks: [Int] { self.top.map { Int($0) } }
}
