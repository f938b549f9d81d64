import WaMIMManifest

/// What a run uses: what the command line says, else what the resumed run used, else the model's defaults.
struct FitSettings {
  let data: [String]
  let validation: [String]
  /// Labelled images for nearest neighbours.
  let neighbours: [String]
  /// Files that tell the classes of images; nil where the images' places do.
  let labels: String?
  let validationLabels: String?
  let neighbourLabels: String?
  /// Whether images are turned as their metadata ask for.
  let isTurned: Bool
  /// How the run is made.
  let recipe: Recipe
  /// The settings under the names of their options, for the checkpoint.
  let recorded: [String: String]

  private let every: Int?
  private let keep: Int
  private let logEvery: Int
  private let pictures: Int

  /// - Parameters:
  ///   - recipe: The model's.
  ///   - channels: Those of the model's images.
  ///   - previous: The options that the checkpoint records, or none.
  ///   - ranks: The processes that make the run together, each of which takes the batches that a command line asks for.
  init(command: FitCommand, recipe: Recipe, channels: Int, previous: [String: String], ranks: Int = 1) throws {
    let previous = try Self.ofOneRank(previous, ranks: ranks)
    func count(_ given: Int?, _ name: String) -> Int? { given ?? previous[name].flatMap { Int($0) } }
    let options = try command.hyperparameters
    var changed = try recipe.replaced(by: previous).replaced(by: options, resuming: previous, channels: channels)
    if previous["warmup"] == nil, options.values["warmup"] == nil {
      // A shorter run warms up for the same share of its epochs.
      changed.warmupEpochs = recipe.warmupEpochs * min(1, changed.epochs / recipe.epochs)
    }
    if previous["tenth-at"] == nil, options.values["tenth_at"] == nil {
      // And its steps are at the same shares of them.
      changed.tenthAt = recipe.tenthAt.map { $0 * min(1, changed.epochs / recipe.epochs) }
    }
    changed.batchAccumulation *= ranks
    self.recipe = changed
    data = (command.data.data.isEmpty ? DataOptions.locations("data", in: previous) : command.data.data).map(DataOptions.absolute)
    validation = (command.watching.validation.isEmpty ? DataOptions.locations("val", in: previous) : command.watching.validation)
      .map(DataOptions.absolute)
    neighbours = (command.watching.neighbours.isEmpty ? DataOptions.locations("knn", in: previous) : command.watching.neighbours)
      .map(DataOptions.absolute)
    labels = (command.labels.labels ?? previous["labels"]).map(FileSystem.absolute)
    validationLabels = (command.watching.validationLabels ?? previous["val-labels"]).map(FileSystem.absolute)
    neighbourLabels = (command.watching.neighbourLabels ?? previous["knn-labels"]).map(FileSystem.absolute)
    for (option, file, images) in [
      ("--val", command.watching.validationLabels, validation), ("--knn", command.watching.neighbourLabels, neighbours),
    ] where file != nil && images.isEmpty {
      throw TrainerError("\(option)-labels tells the classes of the images of \(option): say where those are, too")
    }
    isTurned = command.data.isTurned(recorded: previous)
    every = count(command.checkpoints.every, "every")
    keep = count(command.checkpoints.keep, "keep") ?? 0
    logEvery = count(command.watching.logEvery, "log-every") ?? 10
    pictures = count(command.watching.pictures, "pictures") ?? 1
    var recorded = changed.recorded
    recorded.merge(["keep": "\(keep)", "log-every": "\(logEvery)", "pictures": "\(pictures)"]) { $1 }
    DataOptions.record(data, as: "data", in: &recorded)
    DataOptions.record(validation, as: "val", in: &recorded)
    DataOptions.record(neighbours, as: "knn", in: &recorded)
    recorded["knn-labels"] = neighbourLabels
    recorded["labels"] = labels
    recorded["val-labels"] = validationLabels
    recorded[DataOptions.rotationName] = "\(isTurned)"
    recorded["every"] = every.map { "\($0)" }
    self.recorded = recorded
  }

  /// The options of a run with the batches a step of each of `ranks` ranks in the place of all of them.
  private static func ofOneRank(_ options: [String: String], ranks: Int) throws(TrainerError) -> [String: String] {
    let name = "batch-accumulation"
    guard ranks > 1, let batches = options[name].flatMap({ Int($0) }) else { return options }
    guard batches.isMultiple(of: ranks) else {
      throw TrainerError(
        "the run to continue takes \(batches) batches a step, which \(ranks) ranks cannot share alike; "
          + "start a number of ranks that divides \(batches)")
    }
    return options.merging([name: "\(batches / ranks)"]) { $1 }
  }

  func options(seed: UInt64, command: FitCommand, group: RankGroup) -> TrainingRun.Options {
    TrainingRun.Options(
      recipe: recipe, seed: seed, checkpointEvery: every,
      checkpointsKept: keep, logEvery: logEvery, pictureEvery: pictures, stepLimit: command.limitSteps,
      loaders: command.loaders.count(in: group), checksValues: command.checkValues,
      profileSteps: command.watching.profileSteps)
  }

  /// Whether the run draws pictures of what `manifest`'s model predicts.
  func drawsPictures(_ manifest: Manifest) -> Bool {
    pictures > 0 && manifest.pictures != nil
  }
}
