/// The table of hyperparameters: one line each, for everyone who needs one.
///
/// The language reads arguments of `train` blocks by it and prints them, trainers take options and record them by it, and
/// `docs/language.md` lists it. `Recipe` has a property for each line.
public struct Hyperparameters: Sendable {
  // The optimiser.
  public let baseLearningRate = Hyperparameter(
    "base_lr", of: "adamw", default: 2e-4, .notNegative, "Learning rate for a batch of 256")
  public let betas = Hyperparameter(
    "betas", of: "adamw", default: [0.9, 0.95], .shares, "What the means of gradients and of their squares keep of themselves")
  public let weightDecay = Hyperparameter("weight_decay", of: "adamw", default: 0.05, .notNegative, "Weight decay")
  public let epsilon = Hyperparameter(
    "epsilon", of: "adamw", default: 1e-8, .tiny, "What is added to the root of the second moment")
  public let batchAccumulation = Hyperparameter(
    "batch_accumulation", of: "adamw", default: 1, .count, isFixed: true, "Batches whose gradients a step takes the mean of")

  // The schedule of the learning rate.
  public let epochs = Hyperparameter(
    "epochs", of: "cosine", default: 400.0, argument: .required, .epochs, "Epochs of the whole run")
  public let warmupEpochs = Hyperparameter(
    "warmup", of: "cosine", default: 40.0, argument: .or(0), .notNegative, "Epochs of linear warm-up, then half a cosine")
  public let minimumLearningRate = Hyperparameter(
    "min_lr", of: "cosine", default: 0.0, .notNegative, "Learning rate at the end of the run, whatever the batch")

  // What happens to an image between its file and the input.
  public let cropArea = Hyperparameter(
    "crop_area", of: "random_resized_crop", label: "area", default: Interval?.some(Interval(0.2, 1)), unlisted: .some(nil), .share,
    "Share of an image's area that a random crop keeps; none takes the middle of each image")
  public let cropAspect = Hyperparameter(
    "crop_aspect", of: "random_resized_crop", label: "aspect", default: Interval(3.0 / 4.0, 4.0 / 3.0), .positive,
    "Ratio of width to height of a random crop")
  public let horizontalFlip = Hyperparameter(
    "horizontal_flip", of: "horizontal_flip", label: .some(nil), default: true, unlisted: false, .any,
    "Flip half of the images left to right")
  public let mean = Hyperparameter(
    "mean", of: "normalize", default: [0.485, 0.456, 0.406], argument: .required, .finite, isOfChannels: true,
    "Mean of each channel, for values in [0, 1]")
  public let standardDeviation = Hyperparameter(
    "std", of: "normalize", default: [0.229, 0.224, 0.225], argument: .required, .positive, isOfChannels: true,
    "Standard deviation of each channel")

  static let table = Hyperparameters()

  /// Every line of the table, in its order.
  public static let all: [any AnyHyperparameter] = Mirror(reflecting: table).children.compactMap {
    $0.value as? any AnyHyperparameter
  }

  /// The lines by name.
  public static let byName: [String: any AnyHyperparameter] = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}
