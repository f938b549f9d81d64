import WaMIMManifest

/// The features that an encoder gives of images.
package struct FeaturePass {
  private let pass: OutputPass
  private let source: any ImageSource

  private static let output = "features"

  package init(
    _ model: TrainedModel, source: any ImageSource, batch: ImageBatch, loaders: Int, unreadable: UnreadableImages
  ) throws(TrainerError) {
    pass = try OutputPass(
      model, output: Self.output, of: .features, source: source, batch: batch.forFeatures, loaders: loaders, unreadable: unreadable)
    self.source = source
  }

  /// Whether `program` gives features.
  package static func givesFeatures(_ program: Program) -> Bool { OutputPass.hasOutput(output, of: .features, in: program) }

  /// The features of all images that can be read, with their classes where they have some, and the images' numbers; nil where an
  /// interruption asked to stop.
  package func table() throws(TrainerError) -> (features: FeatureTable, images: [Int])? {
    var table = FeatureTable(width: pass.width)
    table.values.reserveCapacity(source.count * pass.width)
    var images: [Int] = []
    let isComplete = try pass.run { (index, row) throws(TrainerError) in
      table.values += row
      images.append(index)
      if let label = source.label(at: index) { table.labels.append(Int32(label.category)) }
    }
    return isComplete ? (table, images) : nil
  }
}
