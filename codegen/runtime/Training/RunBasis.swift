import WaMIMManifest

/// What a run is made of, by which a process that goes on with it finds out whether all is as it was.
package struct RunBasis: Sendable, Equatable {
  /// The SHA-256 of the program's graph; with which precision it is computed does not count.
  package var graph: String
  /// Images a step.
  package var batch: Int
  /// The batches that each rank adds up by itself, where that shows in the bits: of several ranks with several batches each.
  package var batchesPerRank: Int?
  package var images: Images
  /// The images to evaluate on, or nil where there are none.
  package var validation: Images?

  /// A list of images.
  package struct Images: Codable, Sendable, Equatable {
    package var count: Int
    /// What tells lists of images apart.
    package var digest: String

    fileprivate init(count: Int, digest: String) { (self.count, self.digest) = (count, digest) }

    fileprivate init(_ source: any ImageSource) { self.init(count: source.count, digest: source.digest) }
  }

  init(_ manifest: Manifest, batches: Int, source: any ImageSource, validation: (any ImageSource)?, ranks: Int = 1) {
    batchesPerRank = ranks > 1 && batches > ranks ? batches / ranks : nil
    graph = Self.digest(ofGraph: manifest.graph)
    batch = batches * manifest.batch
    images = Images(source)
    self.validation = validation.map(Images.init)
  }

  /// What tells graphs apart that no run may go on from one to the other.
  fileprivate static func digest(ofGraph text: String) -> String {
    let precision = "  \(Setting.Clause.precision.label): "
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix(precision) }
    return SecureHash.sha256(Array(lines.joined(separator: "\n").utf8))
  }

  private enum Key {
    static let graph = "graph_sha256"
    static let batch = "batch"
    static let batchesPerRank = "batches_per_rank"
    static let count = "images"
    static let digest = "images_digest"
    static let validationCount = "validation_images"
    static let validationDigest = "validation_images_digest"
  }

  /// What the metadata of a checkpoint tells; nil where it tells nothing, as older ones do.
  init?(metadata: [String: String]) {
    guard let graph = metadata[Key.graph], let batch = metadata[Key.batch].flatMap({ Int($0) }),
      let count = metadata[Key.count].flatMap({ Int($0) }), let digest = metadata[Key.digest]
    else { return nil }
    batchesPerRank = metadata[Key.batchesPerRank].flatMap { Int($0) }
    (self.graph, self.batch, images) = (graph, batch, Images(count: count, digest: digest))
    if let count = metadata[Key.validationCount].flatMap({ Int($0) }), let digest = metadata[Key.validationDigest] {
      validation = Images(count: count, digest: digest)
    }
  }

  /// As the metadata of a checkpoint tells it.
  var metadata: [String: String] {
    var result = [Key.graph: graph, Key.batch: "\(batch)", Key.count: "\(images.count)", Key.digest: images.digest]
    result[Key.batchesPerRank] = batchesPerRank.map { "\($0)" }
    result[Key.validationCount] = validation.map { "\($0.count)" }
    result[Key.validationDigest] = validation?.digest
    return result
  }
}

/// Whether a run may go on with the model and the images that a process has.
struct ResumeCheck {
  /// The checkpoint to go on from, and where its run stands.
  let checkpoint: String
  let position: TrainingPosition
  let basis: RunBasis
  /// The order of the images that there are.
  let order: EpochOrder
  /// How many epochs the run is to have.
  let epochs: Double
  /// After which step it is to stop, or nil for its end.
  let stepLimit: Int?
  /// Whether images have labels, which count as images do.
  let hasLabels: Bool
  let allowsChangedModel: Bool
  let allowsChangedData: Bool

  /// Throws where the model or the images differ and may not or where no step is left to make, and otherwise warns of what differs.
  func run(graph: String) throws(TrainerError) {
    let model = modelDifference(graph)
    let data = dataDifference
    if let model, !allowsChangedModel {
      throw TrainerError("\(model); go on with the trainer that the run began with, or say --allow-changed-model")
    }
    if let data, !allowsChangedData {
      throw TrainerError("\(data); give --data the images that the run began with, or say --allow-changed-data")
    }
    try checkEnd()
    for difference in [model, data, validationDifference, nestingDifference].compactMap({ $0 }) { Console.warn(difference) }
    let stepsPerEpoch = order.stepsPerEpoch
    if position.stepsPerEpoch != stepsPerEpoch {
      let (before, now) = (epoch(with: position.stepsPerEpoch), epoch(with: stepsPerEpoch))
      Console.warn("step \(position.step) was at epoch \(before), and with \(stepsPerEpoch) steps an epoch it is at \(now)")
    }
    if position.basis == nil {
      Console.warn(
        "\(checkpoint) does not record which model and images it was made with, as it is of an earlier version; "
          + "they are taken to be the same")
    }
  }

  /// Throws where the run has made more steps than it is to have; one that is at its end may be looked at once more.
  private func checkEnd() throws(TrainerError) {
    let end = order.steps(ofEpochs: epochs)
    guard position.step <= end else {
      throw TrainerError(
        "the run to continue has made \(Format.counted(position.step, "step")), and with --epochs \(Format.fixed(epochs, decimals: 2)) "
          + "it ends after \(end); give more epochs")
    }
    guard let stepLimit, stepLimit <= position.step else { return }
    throw TrainerError(
      "the run to continue has made \(Format.counted(position.step, "step")) already; give --limit-steps more, or leave it out")
  }

  /// Where the run stands, in epochs of so many steps.
  private func epoch(with stepsPerEpoch: Int) -> String {
    Format.fixed(Double(position.step) / Double(stepsPerEpoch), decimals: 2)
  }

  /// How the program differs from that of the run.
  private func modelDifference(_ graph: String) -> String? {
    guard let earlier = position.basis, earlier.graph != basis.graph || earlier.batch != basis.batch else { return nil }
    var differences: [String] = []
    if earlier.batch != basis.batch {
      differences.append("it took \(earlier.batch) images a step, and this one takes \(basis.batch)")
    }
    if earlier.graph != basis.graph { differences.append(firstDifference(earlier, graph) ?? "its graph was another one") }
    return "the run to continue is of another program: \(differences.joined(separator: "; "))"
  }

  /// The first line in which the graph that lies beside the checkpoint and this one differ.
  private func firstDifference(_ earlier: RunBasis, _ graph: String) -> String? {
    guard let text = try? FileSystem.readText("\(FileSystem.parent(of: checkpoint))/\(RunRecord.graphFile)"),
      RunBasis.digest(ofGraph: text) == earlier.graph
    else { return nil }
    let (old, new) = (text.split(separator: "\n"), graph.split(separator: "\n"))
    let line = zip(old, new).first { $0 != $1 }
    return line.map { "its graph has `\($0.0)` where this one has `\($0.1)`" }
      ?? "its graph has \(old.count) lines, and this one \(new.count)"
  }

  /// How gradients add up otherwise than before, which changes their last bits only.
  private var nestingDifference: String? {
    guard let earlier = position.basis, earlier.batchesPerRank != basis.batchesPerRank else { return nil }
    func sums(_ basis: RunBasis) -> String { basis.batchesPerRank.map { "\($0) batches a rank" } ?? "the batches one by one" }
    return
      "gradients were added up by \(sums(earlier)), and now by \(sums(basis)): the run goes on, with other bits than it had had"
  }

  /// How the images to evaluate on differ from those before, which changes no bit of what is trained.
  private var validationDifference: String? {
    guard let earlier = position.basis?.validation, let now = basis.validation, earlier != now else { return nil }
    let images = earlier.count == now.count ? "other images, as many" : "\(now.count) images, \(earlier.count) before"
    return "--val has \(images): losses on them do not compare with those before step \(position.step + 1)"
  }

  /// How the images differ from those of the run.
  private var dataDifference: String? {
    if let earlier = position.basis?.images {
      guard earlier != basis.images else { return nil }
      let labels = hasLabels ? ", with other classes or weights," : ""
      return earlier.count == basis.images.count
        ? "the run to continue was trained on other images: as many, \(earlier.count), with other names\(labels) or in another order"
        : "the run to continue was trained on \(earlier.count) images, and --data has \(basis.images.count)"
    }
    guard position.stepsPerEpoch != order.stepsPerEpoch else { return nil }
    return
      "the run to continue had \(position.stepsPerEpoch) steps an epoch, and with these images it would have \(order.stepsPerEpoch)"
  }
}
