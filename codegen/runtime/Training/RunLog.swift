import WaMIMManifest

/// What a run tells while it trains: metrics.jsonl for programs, event files for TensorBoard.
package final class RunLog {
  private let folder: RunFolder
  private let events: EventFile
  /// What TensorBoard calls the loss of each target.
  private let targetNames: [String]

  /// - Parameter step: Steps done, or nil where the run begins.
  package init(_ folder: RunFolder, manifest: Manifest, resumedStep: Int?) throws(TrainerError) {
    self.folder = folder
    events = try EventFile(in: folder.workPath, movingTo: folder.path, step: resumedStep ?? 0)
    if case .wavelet(_, let levels, _, _) = manifest.pictures {
      targetNames = levels.map { "level_\($0)" }
    } else {
      targetNames = []
    }
  }

  /// Takes in a step; with its norms, where they were measured, it goes to TensorBoard as well.
  package func append(_ line: MetricsLine, isShown: Bool) throws(TrainerError) {
    try folder.append(line)
    guard isShown else { return }
    var scalars: [(tag: String, value: Double)] = [("loss/total", Double(line.loss))]
    for (index, loss) in line.losses.enumerated() { scalars.append(("loss/\(name(ofTarget: index))", Double(loss))) }
    scalars.append(("learning_rate", Double(line.learningRate)))
    for (layer, rate) in (line.layerRates ?? []).enumerated() { scalars.append(("learning_rates/layer_\(layer)", Double(rate))) }
    scalars.append(("images_per_second", line.imagesPerSecond))
    if let norm = line.gradientNorm { scalars.append(("norm/gradients", norm)) }
    if let norm = line.parameterNorm { scalars.append(("norm/parameters", norm)) }
    try events.append(scalars, step: line.step)
  }

  /// Takes in how the model does on images that it is not trained on.
  package func append(_ line: ValidationLine) throws(TrainerError) {
    try folder.append(line)
    try events.append(scalars(line.figures) + (line.averaged.map { scalars($0, suffix: "_ema") } ?? []), step: line.step)
  }

  /// What TensorBoard is told of `figures`, in groups whose names end with `suffix`.
  private func scalars(_ figures: ValidationFigures, suffix: String = "") -> [(tag: String, value: Double)] {
    var scalars: [(tag: String, value: Double)] = figures.loss.map { [("validation\(suffix)/total", $0)] } ?? []
    for (index, loss) in (figures.losses ?? []).enumerated() {
      scalars.append(("validation\(suffix)/\(name(ofTarget: index))", loss))
    }
    for (group, shares) in [("validation", figures.accuracy), ("knn", figures.neighbourAccuracy)] {
      for (rank, share) in (shares ?? [:]).sorted(by: { $0.key < $1.key }) { scalars.append(("\(group)\(suffix)/\(rank)", share)) }
    }
    return scalars
  }

  /// Shows a picture after `step` steps; what the model predicts, where nothing else is said.
  package func append(_ picture: Image, tag: String = "reconstruction", step: Int) throws(TrainerError) {
    try events.append(picture, tag: tag, step: step)
  }

  private func name(ofTarget index: Int) -> String {
    index < targetNames.count ? targetNames[index] : "target_\(index)"
  }
}
