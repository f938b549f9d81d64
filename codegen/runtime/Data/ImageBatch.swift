import WaMIMManifest

/// How a program takes its images: the input, for a round of a schedule, and what is done to pictures on their way there.
package struct ImageBatch: Sendable {
  /// The input, [samples, channels, height, width].
  package let input: Manifest.Tensor
  package let augmentation: Augmentation
  package let normalization: Normalization

  package init(_ program: Program) throws(TrainerError) {
    guard let input = program.input(.images), input.shape.count == 4, input.shape[1] == 1 || input.shape[1] == 3 else {
      throw TrainerError(
        "this program has no input for images of the shape [batch, 1 or 3 channels, height, width], which this command needs")
    }
    self.input = input
    let settings = program.manifest.training.augmentation
    augmentation = Augmentation(settings: settings, width: input.shape[3], height: input.shape[2], channels: input.shape[1])
    normalization = Normalization(settings, channels: input.shape[1])
  }
}
