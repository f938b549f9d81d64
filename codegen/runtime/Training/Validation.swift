import CPlatform
import WaMIMManifest

/// How a model does on images that it is not trained on: the mean loss over whole batches of them, with the same masks each time.
package struct Validation {
  private let model: TrainedModel
  private let source: any ImageSource
  private let batch: ImageBatch
  private let loaders: Int
  private let unreadable: UnreadableImages
  private let order: EpochOrder

  /// The seed of masks and of which images share a batch: the same for all runs, so that runs can be compared.
  private static let seed: UInt64 = 0

  /// - Parameters:
  ///   - batch: How the model takes its images; what is random about it is left out.
  ///   - unreadable: Takes note of the images that cannot be read, which are replaced by others.
  package init(
    _ model: TrainedModel, source: any ImageSource, batch: ImageBatch, loaders: Int,
    unreadable: UnreadableImages = UnreadableImages()
  ) throws(TrainerError) {
    self.model = model
    self.source = source
    self.unreadable = unreadable
    self.loaders = loaders
    self.batch = batch
    order = EpochOrder(images: source.count, batch: model.program.manifest.batch, seed: Self.seed)
  }

  /// Images that take part: an incomplete last batch is left out.
  package var imageCount: Int { min(source.count, order.stepsPerEpoch * order.batch) }

  /// The mean losses of the model on all images, or nil where an interruption asks to stop.
  package func evaluate() throws(TrainerError) -> Losses? {
    let batch = batch.forEvaluation
    let program = model.program
    let loader = try BatchLoader(
      source: source, order: order, staging: try model.makeImageStaging(for: batch), augmentation: batch.augmentation,
      steps: 0..<order.stepsPerEpoch, threads: loaders, unreadable: unreadable)
    defer { loader.stop() }
    var losses = RoundLosses(model, schedule: .forward)
    for step in 0..<order.stepsPerEpoch {
      for round in 0..<program.microBatches {
        let isInterrupted = { wamim_interruption() != 0 }
        guard !isInterrupted(), try loader.next(isInterrupted: isInterrupted) != nil else { return nil }
        try model.fillNoise(seed: Self.seed, step: step, round: round)
        try model.run(.forward)
        try losses.addRound()
      }
    }
    return losses.means(ofBatches: order.stepsPerEpoch)
  }
}
