import CPlatform
import WaMIMManifest

/// A trained classifier on every image of a source once, in order, as it is evaluated.
package struct ClassifierPass {
  private let model: TrainedModel
  private let source: any ImageSource
  private let batch: ImageBatch
  private let loaders: Int
  private let unreadable: UnreadableImages
  /// What the model says, [samples, classes].
  private let logits: Manifest.Tensor

  /// - Parameters:
  ///   - batch: How the model takes its images; what is random about it is left out.
  ///   - unreadable: Takes note of the images that cannot be read, which are left out.
  package init(
    _ model: TrainedModel, source: any ImageSource, batch: ImageBatch, loaders: Int, unreadable: UnreadableImages
  ) throws(TrainerError) {
    self.model = model
    self.source = source
    self.batch = batch.forEvaluation
    self.loaders = loaders
    self.unreadable = unreadable
    logits = try model.output(Self.output, of: .forward)
    guard logits.shape.count == 2, logits.shape[0] == batch.input.shape[0], logits.type == .float32 else {
      throw TrainerError("this program's output `\(Self.output)` is not of the shape [batch, classes], which this command needs")
    }
  }

  private static let output = "logits"

  /// Whether `program` is a classifier.
  package static func isClassifier(_ program: Program) -> Bool {
    program.manifest.schedules.first { $0.role == .forward }?.outputs.contains { $0.tensor.name == output } ?? false
  }

  package var classes: Int { logits.shape[1] }

  /// Calls `body` with the number of each image that can be read and what the model says of it.
  ///
  /// - Returns: Whether all images had their turn: not where an interruption asked to stop.
  package func run(_ body: (_ index: Int, _ logits: ArraySlice<Float>) throws(TrainerError) -> Void) throws(TrainerError) -> Bool {
    let samples = batch.input.shape[0]
    let order = EpochOrder(allOf: source.count, batch: samples)
    let loader = try BatchLoader(
      source: source, order: order, staging: try model.makeImageStaging(for: batch), augmentation: batch.augmentation,
      steps: 0..<order.stepsPerEpoch, threads: loaders, unreadable: unreadable)
    defer { loader.stop() }
    for step in 0..<order.stepsPerEpoch {
      if wamim_interruption() != 0 { return false }
      _ = try loader.next()
      try model.fillNoise(seed: 0, step: step, round: 0)
      try model.run(.forward)
      let values = try model.values(logits)
      for place in 0..<samples {
        let index = step * samples + place
        guard index < source.count, !unreadable.contains(index) else { continue }
        let row = values[place * classes..<(place + 1) * classes]
        guard row.allSatisfy(\.isFinite) else {
          throw TrainerError("what the model says of \(source.name(at: index)) is not finite")
        }
        try body(index, row)
      }
    }
    guard unreadable.count < source.count else { throw TrainerError("none of the \(source.count) images can be read") }
    return true
  }
}
