import WaMIMManifest

/// What a run uses: what the command line says, else what the resumed run used, else the model's defaults.
struct FitSettings {
  let data: String?
  private let epochs: Double
  private let baseLearningRate: Double
  private let warmup: Double
  private let weightDecay: Double

  /// - Parameter previous: The options that the checkpoint records, or none.
  init(command: FitCommand, training: Manifest.Training, previous: [String: String]) {
    func number(_ given: Double?, _ name: String) -> Double? { given ?? previous[name].flatMap { Double($0) } }
    data = command.data.data ?? previous["data"]
    epochs = number(command.epochs, "epochs") ?? training.epochs
    baseLearningRate = number(command.baseLearningRate, "base-lr") ?? training.baseLearningRate
    warmup = number(command.warmup, "warmup") ?? min(training.warmupEpochs, epochs / 10)
    weightDecay = number(command.weightDecay, "weight-decay") ?? training.weightDecay
  }

  /// The settings under the names of their options, for the checkpoint.
  var recorded: [String: String] {
    var options = [
      "epochs": "\(epochs)", "base-lr": "\(baseLearningRate)", "warmup": "\(warmup)", "weight-decay": "\(weightDecay)",
    ]
    options["data"] = data
    return options
  }

  func options(seed: UInt64, command: FitCommand) -> TrainingRun.Options {
    TrainingRun.Options(
      epochs: epochs, baseLearningRate: baseLearningRate, warmupEpochs: warmup, weightDecay: weightDecay, seed: seed,
      checkpointEvery: command.every, stepLimit: command.limitSteps, loaders: command.loaders)
  }
}
