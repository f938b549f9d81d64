import WaMIMManifest

/// What a run uses: what the command line says, else what the resumed run used, else the model's defaults.
struct FitSettings {
  let data: [String]
  let validation: [String]
  /// Whether images are turned as their metadata ask for.
  let isTurned: Bool
  /// What images go through.
  let augmentation: Manifest.Augmentation
  /// The settings under the names of their options, for the checkpoint.
  let recorded: [String: String]

  private let epochs: Double
  private let baseLearningRate: Double
  private let minimumLearningRate: Double
  /// Batches whose gradients a step takes together.
  let batchAccumulation: Int
  private let warmup: Double
  private let optimizer: OptimizerSettings
  private let every: Int?
  private let keep: Int
  private let logEvery: Int
  private let pictures: Int

  /// - Parameter previous: The options that the checkpoint records, or none.
  init(
    command: FitCommand, training: Manifest.Training, channels: Int, previous: [String: String]
  ) throws(TrainerError) {
    func number(_ given: Double?, _ name: String) -> Double? { given ?? previous[name].flatMap { Double($0) } }
    func count(_ given: Int?, _ name: String) -> Int? { given ?? previous[name].flatMap { Int($0) } }
    data = command.data.data.isEmpty ? DataOptions.places("data", in: previous) : command.data.data
    validation = command.watching.validation.isEmpty ? DataOptions.places("val", in: previous) : command.watching.validation
    isTurned = command.data.isTurned(recorded: previous)
    epochs = number(command.epochs, "epochs") ?? training.epochs
    baseLearningRate = number(command.baseLearningRate, "base-lr") ?? training.baseLearningRate
    minimumLearningRate = number(command.minimumLearningRate, "min-lr") ?? training.minimumLearningRate
    let accumulated = previous["batch-accumulation"].flatMap { Int($0) }
    if let accumulated, let given = command.batchAccumulation, given != accumulated {
      throw TrainerError(
        "the run to continue takes \(accumulated) batches a step, not \(given); leave --batch-accumulation out")
    }
    batchAccumulation = accumulated ?? command.batchAccumulation ?? training.batchAccumulation
    warmup = number(command.warmup, "warmup") ?? training.warmupEpochs * min(1, epochs / training.epochs)
    let usual = OptimizerSettings(training)
    let betas = (command.betas ?? previous["betas"].flatMap { NumberList(argument: $0) })?.values ?? []
    optimizer = OptimizerSettings(
      firstBeta: betas.first ?? usual.firstBeta, secondBeta: betas.dropFirst().first ?? usual.secondBeta,
      epsilon: number(command.epsilon, "epsilon") ?? usual.epsilon,
      weightDecay: number(command.weightDecay, "weight-decay") ?? usual.weightDecay)
    every = count(command.checkpoints.every, "every")
    keep = count(command.checkpoints.keep, "keep") ?? 0
    logEvery = count(command.watching.logEvery, "log-every") ?? 10
    pictures = count(command.watching.pictures, "pictures") ?? 1

    var options = command.augmentation.given
    for name in ["crop-area", "crop-aspect", "horizontal-flip", "mean", "std"] { options[name] = options[name] ?? previous[name] }
    augmentation = try training.augmentation.replaced(by: options, channels: channels)
    options.merge([
      "epochs": "\(epochs)", "base-lr": "\(baseLearningRate)", "min-lr": "\(minimumLearningRate)", "warmup": "\(warmup)",
      "weight-decay": "\(optimizer.weightDecay)", "betas": "\(optimizer.firstBeta),\(optimizer.secondBeta)",
      "epsilon": "\(optimizer.epsilon)", "batch-accumulation": "\(batchAccumulation)", "keep": "\(keep)",
      "log-every": "\(logEvery)", "pictures": "\(pictures)",
    ]) { $1 }
    DataOptions.record(data, as: "data", in: &options)
    DataOptions.record(validation, as: "val", in: &options)
    options[DataOptions.rotationName] = "\(isTurned)"
    options["every"] = every.map { "\($0)" }
    recorded = options
  }

  func options(seed: UInt64, command: FitCommand) -> TrainingRun.Options {
    TrainingRun.Options(
      epochs: epochs, baseLearningRate: baseLearningRate, minimumLearningRate: minimumLearningRate,
      batchAccumulation: batchAccumulation, warmupEpochs: warmup, optimizer: optimizer, seed: seed, checkpointEvery: every,
      checkpointsKept: keep, logEvery: logEvery, pictureEvery: pictures, stepLimit: command.limitSteps,
      loaders: command.loaderCount, checksValues: command.checkValues,
      profile: command.watching.profile.map { TrainingRun.Options.Profile(path: $0, steps: command.watching.profileSteps) })
  }

  /// Whether the run draws pictures of what `manifest`'s model predicts.
  func drawsPictures(_ manifest: Manifest) -> Bool {
    pictures > 0 && manifest.pictures != nil
  }
}
