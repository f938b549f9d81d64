import Glibc

/// Where a run stands when a step begins.
public struct RunPosition: Hashable, Sendable {
  /// The step's number, from 1.
  public var step: Int
  /// Epochs before the step.
  public var progress: Double
  /// Images that a step takes.
  public var imagesPerStep: Int
  /// Batches that a step takes.
  public var batchesPerStep: Int

  public init(step: Int, progress: Double, imagesPerStep: Int, batchesPerStep: Int) {
    self.step = step
    self.progress = progress
    self.imagesPerStep = imagesPerStep
    self.batchesPerStep = batchesPerStep
  }
}

/// A number that a program is told before a step: the table of what a binding to a hyperparameter can name.
public struct ScheduleScalar: Sendable {
  public let name: String
  /// The number, in double precision.
  public let value: @Sendable (Recipe, RunPosition) -> Double

  private init(_ name: String, _ value: @escaping @Sendable (Recipe, RunPosition) -> Double) {
    self.name = name
    self.value = value
  }

  /// What a running mean of parameters takes in of them in a step.
  public static let averageShare = "average_share"

  /// Every number that follows from hyperparameters and the run's position; hyperparameters that are numbers come by their names.
  public static let all: [ScheduleScalar] =
    [
      ScheduleScalar("beta1") { recipe, _ in recipe.beta(0) },
      ScheduleScalar("beta2") { recipe, _ in recipe.beta(1) },
      ScheduleScalar("first_moment_correction") { recipe, run in 1 / (1 - pow(recipe.beta(0), Double(run.step))) },
      ScheduleScalar("second_moment_correction") { recipe, run in 1 / (1 - pow(recipe.beta(1), Double(run.step))) },
      ScheduleScalar("progress") { _, run in run.progress },
      ScheduleScalar("peak_lr") { recipe, run in recipe.baseLearningRate * Double(run.imagesPerStep) / 256 },
      ScheduleScalar(averageShare) { recipe, _ in 1 - recipe.ema },
      ScheduleScalar("plateau") { recipe, run in pow(0.1, Double(recipe.tenthAt.filter { $0 <= run.progress }.count)) },
      ScheduleScalar("largest_norm") { recipe, _ in recipe.clip > 0 ? recipe.clip : Double(Float.greatestFiniteMagnitude) },
      ScheduleScalar("batch_share") { _, run in 1 / Double(run.batchesPerStep) },
    ] + Hyperparameters.all.compactMap(ofHyperparameter)

  /// The numbers by name, but for those that count.
  public static let byName: [String: ScheduleScalar] = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// The number called `name`, or nil where there is none.
  public static func named(_ name: String) -> ScheduleScalar? { byName[name] ?? layerRate(named: name) }

  /// What the name of a layer's share of the learning rate starts with.
  private static let layerRatePrefix = "layer_rate."

  /// The name of the learning rate's share for a layer with `layers` layers above it: layer_decay to the power of `layers`.
  public static func layerRateName(layersAbove layers: Int) -> String { "\(layerRatePrefix)\(layers)" }

  /// How many layers stand above the one whose share is called `name`, or nil where it is no such name.
  public static func layersAbove(inRateName name: String) -> Int? {
    guard name.hasPrefix(layerRatePrefix), let layers = Int(name.dropFirst(layerRatePrefix.count)),
      name == layerRateName(layersAbove: layers), layers >= 0
    else { return nil }
    return layers
  }

  private static func layerRate(named name: String) -> ScheduleScalar? {
    layersAbove(inRateName: name).map { layers in
      ScheduleScalar(name) { recipe, _ in recipe.layerRate(layersAbove: layers) }
    }
  }

  private static func ofHyperparameter(_ hyperparameter: any AnyHyperparameter) -> ScheduleScalar? {
    switch hyperparameter.anyDefault {
    case .number:
      ScheduleScalar(hyperparameter.name) { recipe, _ in if case .number(let value) = recipe[hyperparameter] { value } else { 0 } }
    case .integer:
      ScheduleScalar(hyperparameter.name) { recipe, _ in
        if case .integer(let value) = recipe[hyperparameter] { Double(value) } else { 0 }
      }
    case .flag, .numbers, .texts, .interval, .none: nil
    }
  }
}

extension Recipe {
  /// The share of the learning rate for a layer with `layers` layers above it.
  public func layerRate(layersAbove layers: Int) -> Double { pow(self.layerDecay, Double(layers)) }

  /// The optimiser's beta of number `index`, from 0.
  fileprivate func beta(_ index: Int) -> Double {
    self.betas.indices.contains(index) ? self.betas[index] : Recipe().betas[index]
  }
}
