/// The table of hyperparameters: one line each, for everyone who needs one.
///
/// The language reads arguments of `train` blocks by it and prints them, trainers take options and record them by it, and
/// `docs/language.md` lists it. `Recipe` has a property for each line.
public struct Hyperparameters: Sendable {
  // The optimiser.
  public let baseLearningRate = Hyperparameter(
    "base_lr", of: "adamw", "lars", "sgd", default: 2e-4, .notNegative, "Learning rate for a batch of 256")
  public let betas = Hyperparameter(
    "betas", of: "adamw", default: [0.9, 0.95], .shares, "What the means of gradients and of their squares keep of themselves")
  public let weightDecay = Hyperparameter("weight_decay", of: "adamw", "lars", "sgd", default: 0.05, .notNegative, "Weight decay")
  public let epsilon = Hyperparameter(
    "epsilon", of: "adamw", default: 1e-8, .tiny, "What is added to the root of the second moment")
  public let batchAccumulation = Hyperparameter(
    "batch_accumulation", of: "adamw", "lars", "sgd", default: 1, .count, isFixed: true,
    "Batches whose gradients a step takes the mean of")
  public let layerDecay = Hyperparameter(
    "layer_decay", of: "adamw", default: 1.0, .factor, "What a layer's learning rate is of that of the layer above it")
  public let clip = Hyperparameter(
    "clip", of: "adamw", default: 0.0, .notNegative,
    "The norm that all gradients together are scaled down to; 0 leaves them as they are")
  public let spared = Hyperparameter(
    "spared", of: "adamw", default: Words([]), .words, isCompiled: true,
    "Words in the names of parameters that weight decay spares")
  public let momentum = Hyperparameter(
    "momentum", of: "lars", "sgd", default: 0.9, .belowOne, "What the momentum keeps of itself")
  public let trust = Hyperparameter(
    "trust", of: "lars", default: 0.001, .notNegative, "A weight's step over its own length, at a learning rate of 1")

  // The schedule of the learning rate.
  public let epochs = Hyperparameter(
    "epochs", of: "cosine", "plateaus", default: 400.0, argument: .required, .epochs, "Epochs of the whole run")
  public let warmupEpochs = Hyperparameter(
    "warmup", of: "cosine", "plateaus", default: 40.0, argument: .or(0), .notNegative, "Epochs of linear warm-up")
  public let minimumLearningRate = Hyperparameter(
    "min_lr", of: "cosine", default: 0.0, .notNegative, "Learning rate at the end of the run, whatever the batch")
  public let tenthAt = Hyperparameter(
    "tenth_at", of: "plateaus", default: [Double](), argument: .required, .stages,
    "Epochs at which the learning rate falls to a tenth of what it was")

  // What happens to an image between its file and the input.
  public let cropArea = Hyperparameter(
    "crop_area", of: "random_resized_crop", label: "area", default: Interval?.some(Interval(0.2, 1)), unlisted: .some(nil), .share,
    "Share of an image's area that a random crop keeps; none takes the middle of each image")
  public let cropAspect = Hyperparameter(
    "crop_aspect", of: "random_resized_crop", label: "aspect", default: Interval(3.0 / 4.0, 4.0 / 3.0), .positive,
    "Ratio of width to height of a random crop")
  public let cropBilinear = Hyperparameter(
    "crop_bilinear", of: "random_resized_crop", label: "bilinear", default: false, .any,
    "Resize random crops bilinearly, not bicubically")
  public let horizontalFlip = Hyperparameter(
    "horizontal_flip", of: "horizontal_flip", label: .some(nil), default: true, unlisted: false, .any,
    "Flip half of the images left to right")
  public let verticalFlip = Hyperparameter(
    "vertical_flip", of: "vertical_flip", label: .some(nil), default: false, .any, "Flip half of the images top to bottom")
  public let quarterTurns = Hyperparameter(
    "quarter_turns", of: "quarter_turns", label: .some(nil), default: false, .any,
    "Turn each image by 0, 90, 180 or 270 degrees, where the input is square")
  public let rotate = Hyperparameter(
    "rotate", of: "rotate", label: "degrees", default: 0.0, argument: .required, .degrees,
    "Degrees by which an image is rotated at most, either way")
  public let translate = Hyperparameter(
    "translate", of: "translate", label: "share", default: 0.0, argument: .required, .probability,
    "Share of its sides by which an image is shifted at most")
  public let randAugment = Hyperparameter(
    "rand_augment", of: "rand_augment", label: "magnitude", default: 0.0, argument: .or(9), .magnitude,
    "Magnitude of RandAugment's operations; 0 applies none")
  public let randAugmentDeviation = Hyperparameter(
    "rand_augment_deviation", of: "rand_augment", label: "deviation", default: 0.5, .notNegative,
    "Standard deviation of the magnitude, which is drawn anew for each operation")
  public let randAugmentOperations = Hyperparameter(
    "rand_augment_operations", of: "rand_augment", label: "operations", default: 2, .operations,
    "Operations that RandAugment draws for an image, each of which it applies with probability 1/2")
  public let jitterBrightness = Hyperparameter(
    "jitter_brightness", of: "color_jitter", label: "brightness", default: 0.0, .notNegative,
    "How far from 1 the factor of an image's brightness may lie")
  public let jitterContrast = Hyperparameter(
    "jitter_contrast", of: "color_jitter", label: "contrast", default: 0.0, .notNegative,
    "How far from 1 the factor of an image's contrast may lie")
  public let jitterSaturation = Hyperparameter(
    "jitter_saturation", of: "color_jitter", label: "saturation", default: 0.0, .notNegative,
    "How far from 1 the factor of an image's saturation may lie")
  public let jitterHue = Hyperparameter(
    "jitter_hue", of: "color_jitter", label: "hue", default: 0.0, .halfTurn,
    "Share of the colour circle by which hues are shifted at most")
  public let randomErasing = Hyperparameter(
    "random_erasing", of: "random_erasing", label: "probability", default: 0.0, argument: .or(0.25), .probability,
    "Share of the images of which a random rectangle is replaced by noise")
  public let mixup = Hyperparameter(
    "mixup", of: "mixup", label: "alpha", default: 0.0, argument: .or(0.8), .notNegative,
    "Parameter of the beta distribution by which two images are blended; 0 blends none")
  public let cutmix = Hyperparameter(
    "cutmix", of: "cutmix", label: "alpha", default: 0.0, argument: .or(1), .notNegative,
    "Parameter of the beta distribution of how much of an image another one covers; 0 covers none")
  public let labelSmoothing = Hyperparameter(
    "label_smoothing", of: "label_smoothing", label: "share", default: 0.0, argument: .or(0.1), .belowOne,
    "Share of each target that is spread evenly over all classes")
  public let mean = Hyperparameter(
    "mean", of: "normalize", default: [0.485, 0.456, 0.406], argument: .required, .finite, isOfChannels: true,
    "Mean of each channel, for values in [0, 1]")
  public let standardDeviation = Hyperparameter(
    "std", of: "normalize", default: [0.229, 0.224, 0.225], argument: .required, .positive, isOfChannels: true,
    "Standard deviation of each channel")

  // What is kept beside the parameters.
  public let ema = Hyperparameter(
    "ema", of: "ema", label: "keep", default: 0.0, argument: .or(0.9999), .belowOne,
    "What a running mean of the parameters keeps of itself in a step; 0 keeps no mean")

  // How a trained model is looked at.
  public let viewSize = Hyperparameter(
    "view_size", of: "evaluate.center_crop", label: "resize", default: 0, .pixels,
    "Pixels of an image's shorter side before its middle is cut out to evaluate on; 0 is 8/7 of the input, or the input above 224")
  public let top = Hyperparameter(
    "top", of: "evaluate.top", label: "k", default: [1.0, 5.0], unlisted: [], .ranks,
    "Numbers of classes among which the right one is looked for")

  static let table = Hyperparameters()

  /// Every line of the table, in its order.
  public static let all: [any AnyHyperparameter] = Mirror(reflecting: table).children.compactMap {
    $0.value as? any AnyHyperparameter
  }

  /// The lines by name.
  public static let byName: [String: any AnyHyperparameter] = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}
