import CPlatform
import WaMIMManifest

/// How a model does on images that it is not trained on: the mean loss over whole batches of them, with the same masks each time.
package struct Validation {
  /// Mean losses.
  package struct Losses: Sendable, Equatable {
    package var total: Double
    /// Those of each target, where the program tells them.
    package var targets: [Double]
  }

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
    source: any ImageSource, batch: ImageBatch, loaders: Int, unreadable: UnreadableImages = UnreadableImages()
  ) throws(TrainerError) {
    self.source = source
    self.unreadable = unreadable
    self.loaders = loaders
    self.batch = batch
    order = EpochOrder(images: source.count, batch: batch.input.shape[0], seed: Self.seed)
  }

  /// Images that take part: an incomplete last batch is left out.
  package var imageCount: Int { min(source.count, order.stepsPerEpoch * order.batch) }

  /// Runs `model` on all images, or returns nil where an interruption asks to stop.
  package func evaluate(_ model: TrainedModel) throws(TrainerError) -> Losses? {
    var settings = batch.augmentation.settings
    settings.cropArea = nil
    settings.horizontalFlip = false
    let augmentation = Augmentation(
      settings: settings, width: batch.augmentation.width, height: batch.augmentation.height, channels: batch.augmentation.channels)
    let loader = try BatchLoader(
      source: source, order: order, augmentation: augmentation, steps: 0..<order.stepsPerEpoch, threads: loaders,
      unreadable: unreadable)
    defer { loader.stop() }
    var total = 0.0
    var targets: [Double] = []
    for step in 0..<order.stepsPerEpoch {
      if wamim_interruption() != 0 { return nil }
      _ = try loader.next(into: model.values(batch.input), normalization: batch.normalization)
      model.fillNoise(seed: Self.seed, step: step)
      try model.run("forward")
      total += Double(try model.scalar("loss", of: "forward"))
      let losses = model.losses(ofTargetsIn: "forward")
      targets = step == 0 ? losses.map { Double($0) } : zip(targets, losses).map { $0 + Double($1) }
    }
    let count = Double(order.stepsPerEpoch)
    return Losses(total: total / count, targets: targets.map { $0 / count })
  }
}

extension TrainedModel {
  /// The outputs `loss.0`, `loss.1`, … of the last run of the schedule `name`, as many as there are.
  package func losses(ofTargetsIn name: String) -> [Float] {
    var losses: [Float] = []
    while let loss = try? scalar("loss.\(losses.count)", of: name) { losses.append(loss) }
    return losses
  }
}
