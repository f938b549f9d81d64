import WaMIMManifest

/// How a program takes its images: the input, for a round of a schedule, and what is done to pictures on their way there.
package struct ImageBatch: Sendable {
  /// The input, [samples, channels, height, width].
  package let input: Manifest.Tensor
  package let augmentation: Augmentation
  package let normalization: Normalization
  /// The input for targets, [samples, classes], where the program has one.
  package let labels: Manifest.Tensor?

  /// - Parameter recipe: How images are treated, where it is not to be as the model says.
  package init(_ program: Program, recipe: Recipe? = nil) throws(TrainerError) {
    guard let input = program.input(.images), input.shape.count == 4, input.shape[1] == 1 || input.shape[1] == 3 else {
      throw TrainerError(
        "this program has no input for images of the shape [batch, 1 or 3 channels, height, width], which this command needs")
    }
    self.input = input
    let recipe = recipe ?? program.manifest.recipe
    labels = program.input(.data("labels"))
    augmentation = Augmentation(
      recipe: recipe, width: input.shape[3], height: input.shape[2], channels: input.shape[1],
      view: labels == nil ? .middle : .resized(side: recipe.viewSide))
    normalization = Normalization(recipe, channels: input.shape[1])
    if let labels, labels.shape.count != 2 || labels.shape[0] != input.shape[0] || labels.type != .float32 {
      throw TrainerError("this program's input `labels` is not of the shape [batch, classes], which this command needs")
    }
  }

  private init(_ batch: ImageBatch, augmentation: Augmentation) {
    input = batch.input
    normalization = batch.normalization
    labels = batch.labels
    self.augmentation = augmentation
  }

  /// The batch with nothing random about it: the middle of each image, and targets that are neither smoothed nor mixed.
  package var forEvaluation: ImageBatch { ImageBatch(self, augmentation: augmentation.forEvaluation) }

  /// The batch as an encoder is asked for features: as a classifier looks at images.
  package var forFeatures: ImageBatch {
    var augmentation = augmentation.forEvaluation
    augmentation.view = .resized(side: augmentation.recipe.viewSide)
    return ImageBatch(self, augmentation: augmentation)
  }

  /// Classes that targets tell apart; nil where the program takes none.
  package var classes: Int? { labels?.shape[1] }

  /// Throws where images are to be mixed, or targets smoothed, of a program that takes no targets.
  func checkMixing() throws(TrainerError) {
    let recipe = augmentation.recipe
    guard labels == nil, recipe.mixup > 0 || recipe.cutmix > 0 || recipe.labelSmoothing > 0 else { return }
    throw TrainerError("--mixup, --cutmix and --label-smoothing are for models that take labels, which this one does not")
  }

  /// Whether samples come with more than their bytes.
  var hasNotes: Bool { labels != nil || augmentation.recipe.randomErasing > 0 }

  /// Bytes of a sample's pixels, which are as many as its elements.
  package var sampleBytes: Int { augmentation.width * augmentation.height * augmentation.channels }
}

extension Recipe {
  /// Pixels of an image's shorter side before its middle is cut out, or nil for those that follow from the model's size.
  fileprivate var viewSide: Int? { self.viewSize > 0 ? self.viewSize : nil }
}
