import WaMIMManifest

/// How well nearest neighbours of the features tell classes while a run goes on: every fifth image is told by the others.
struct NeighbourWatch {
  /// Neighbours that vote, as DINO has it; where classes have fewer images, as many as those have on average.
  private static let neighbours = 20
  /// Of so many images that follow each other, the last is tried.
  private static let stride = 5

  private let pass: FeaturePass
  private let classes: Int
  private let threads: Int

  init(_ model: TrainedModel, source: any ImageSource, batch: ImageBatch, loaders: Int, threads: Int) throws(TrainerError) {
    guard let classes = source.classes else { throw TrainerError("the images of --knn have no classes") }
    self.classes = classes.count
    self.threads = threads
    pass = try FeaturePass(model, source: source, batch: batch, loaders: loaders, unreadable: UnreadableImages())
  }

  /// Throws where `source` has too few images for one of them to be tried.
  static func check(_ source: any ImageSource) throws(TrainerError) {
    guard source.count < stride else { return }
    throw TrainerError("--knn needs at least \(stride) images, and there \(source.count == 1 ? "is 1" : "are \(source.count)")")
  }

  /// The shares of right answers by names such as `top1`; nil where an interruption asks to stop.
  func evaluate() throws(TrainerError) -> [String: Double]? {
    guard let (table, images) = try pass.table() else { return nil }
    var (train, trial) = (FeatureTable(width: table.width), FeatureTable(width: table.width))
    for (row, image) in images.enumerated() {
      let values = table.values[row * table.width..<(row + 1) * table.width]
      if image % Self.stride == Self.stride - 1 {
        trial.values += values
        trial.labels.append(table.labels[row])
      } else {
        train.values += values
        train.labels.append(table.labels[row])
      }
    }
    let neighbours = min(Self.neighbours, max(1, train.count / max(1, classes)))
    let accuracy = try NeighbourAccuracy(of: trial, in: train, classes: classes, neighbours: [neighbours], threads: threads)
    guard let row = accuracy.rows.first else { return [:] }
    return classes > 5 ? ["top1": row.top1, "top5": row.top5] : ["top1": row.top1]
  }
}
