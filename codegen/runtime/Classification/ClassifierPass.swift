import WaMIMManifest

/// A trained classifier on every image of a source once, in order, as it is evaluated.
package struct ClassifierPass {
  private let pass: OutputPass

  /// - Parameters:
  ///   - batch: How the model takes its images; what is random about it is left out.
  ///   - unreadable: Takes note of the images that cannot be read, which are left out.
  package init(
    _ model: TrainedModel, source: any ImageSource, batch: ImageBatch, loaders: Int, unreadable: UnreadableImages
  ) throws(TrainerError) {
    pass = try OutputPass(
      model, output: Self.output, of: .forward, source: source, batch: batch.forEvaluation, loaders: loaders, unreadable: unreadable
    )
  }

  private static let output = "logits"

  /// Whether `program` is a classifier.
  package static func isClassifier(_ program: Program) -> Bool { OutputPass.hasOutput(output, of: .forward, in: program) }

  package var classes: Int { pass.width }

  /// Calls `body` with the number of each image that can be read and what the model says of it.
  ///
  /// - Returns: Whether all images had their turn: not where an interruption asked to stop.
  package func run(_ body: (_ index: Int, _ logits: ArraySlice<Float>) throws(TrainerError) -> Void) throws(TrainerError) -> Bool {
    try pass.run(body)
  }
}
