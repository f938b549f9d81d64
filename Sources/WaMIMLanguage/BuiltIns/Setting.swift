import WaMIMGraph

/// A setting of a `train` block: what it takes and what it changes.
struct Setting: Sendable {
  var signature: BuiltIn
  var apply: @Sendable (Arguments, inout Training) throws -> Void

  init(
    _ name: String, _ parameters: [Parameter], _ summary: String,
    apply: @escaping @Sendable (Arguments, inout Training) throws -> Void
  ) {
    // A setting changes the training instead of giving a value.
    signature = BuiltIn(name, parameters, summary) { _ in .flag(true) }
    self.apply = apply
  }

  /// The settings that each label of the block knows.
  static let clauses: [(label: String, isList: Bool, settings: [Setting])] = [
    ("optimizer", false, [adamw]), ("schedule", false, [cosine]),
    ("augment", true, [randomResizedCrop, centerCrop, horizontalFlip, normalization]),
  ]

  /// The functions of all settings.
  static let all: [BuiltIn] = clauses.flatMap { $0.settings.map(\.signature) }

  private static let adamw = Setting(
    "adamw",
    [
      Parameter("base_lr", .number, default: .number(Training().baseLearningRate)),
      Parameter("betas", .numbers, default: .numbers(Training().betas)),
      Parameter("weight_decay", .number, default: .number(Training().weightDecay)),
      Parameter("epsilon", .number, default: .number(Training().epsilon)),
      Parameter("batch_accumulation", .integer, default: .integer(Training().batchAccumulation)),
    ],
    "AdamW; the learning rate is for an effective batch of 256 and scales with the images of a step, `batch_accumulation` batches."
  ) { arguments, training in
    training.baseLearningRate = try positive("base_lr", arguments)
    training.betas = try arguments.numbers("betas")
    guard training.betas.count == 2, training.betas.allSatisfy({ $0 >= 0 && $0 < 1 }) else {
      throw GraphError("'betas' has to be two numbers from 0 to below 1")
    }
    training.weightDecay = try notNegative("weight_decay", arguments)
    training.epsilon = try positive("epsilon", arguments)
    training.batchAccumulation = try arguments.integer("batch_accumulation")
    guard (1...1_000_000).contains(training.batchAccumulation) else {
      throw GraphError("'batch_accumulation' has to be from 1 to 1000000, but is \(training.batchAccumulation)")
    }
  }

  private static let cosine = Setting(
    "cosine",
    [
      Parameter("epochs", .number), Parameter("warmup", .number, default: .number(0)),
      Parameter("min_lr", .number, default: .number(Training().minimumLearningRate)),
    ],
    "A linear warm-up of the learning rate, then half a cosine down to `min_lr`, both counted in epochs."
  ) { arguments, training in
    training.epochs = try positive("epochs", arguments)
    training.warmupEpochs = try notNegative("warmup", arguments)
    training.minimumLearningRate = try notNegative("min_lr", arguments)
  }

  private static let randomResizedCrop = Setting(
    "random_resized_crop",
    [
      Parameter("area", .optionalInterval, default: .interval(0.2, 1)),
      Parameter("aspect", .interval, default: .interval(3.0 / 4.0, 4.0 / 3.0)),
    ],
    "A random part of the image, with a share `area` of its pixels and a ratio `aspect` of width to height, resized to the input."
  ) { arguments, training in
    training.augmentation.cropArea = try arguments.interval("area").map { [$0.0, $0.1] }
    training.augmentation.cropAspect = try arguments.interval("aspect").map { [$0.0, $0.1] } ?? []
    if let area = training.augmentation.cropArea { try requireOrder("area", area, atMost: 1) }
    try requireOrder("aspect", training.augmentation.cropAspect, atMost: .greatestFiniteMagnitude)
  }

  private static let centerCrop = Setting(
    "center_crop", [], "The largest square in the middle of the image, resized to the input: what an empty list does, too."
  ) { _, training in
    training.augmentation.cropArea = nil
  }

  private static let horizontalFlip = Setting("horizontal_flip", [], "Left and right swapped in half of the images.") {
    _, training in
    training.augmentation.horizontalFlip = true
  }

  private static let normalization = Setting(
    "normalize", [Parameter("mean", .numbers), Parameter("std", .numbers)],
    "Each channel, in [0, 1], less its mean and over its standard deviation; ImageNet's where nothing is said."
  ) { arguments, training in
    training.augmentation.mean = try arguments.numbers("mean")
    training.augmentation.standardDeviation = try arguments.numbers("std")
    guard training.augmentation.mean.count == training.augmentation.standardDeviation.count else {
      throw GraphError("'mean' and 'std' need one number for each channel, both as many")
    }
    guard training.augmentation.standardDeviation.allSatisfy({ $0 > 0 }) else {
      throw GraphError("the standard deviations have to be positive")
    }
  }

  private static func positive(_ label: String, _ arguments: Arguments) throws -> Double {
    let value = try arguments.number(label)
    guard value > 0, value.isFinite else { throw GraphError("'\(label)' has to be positive, but is \(value)") }
    return value
  }

  private static func notNegative(_ label: String, _ arguments: Arguments) throws -> Double {
    let value = try arguments.number(label)
    guard value >= 0, value.isFinite else { throw GraphError("'\(label)' must not be negative, but is \(value)") }
    return value
  }

  private static func requireOrder(_ label: String, _ ends: [Double], atMost limit: Double) throws {
    guard ends.count == 2, ends[0] > 0, ends[0] <= ends[1], ends[1] <= limit else {
      let bound = limit == 1 ? "0 and 1" : "0 and a larger number"
      throw GraphError("'\(label)' has to be a range lower..upper between \(bound)")
    }
  }
}

extension Setting {
  /// The ways to make pictures of predictions, for the statement `pictures`.
  static let pictures: [BuiltIn] = [
    BuiltIn(
      "wavelet",
      [
        Parameter("wavelet", .symbol(Wavelet.allCases.map(\.rawValue))), Parameter("levels", .integers),
        Parameter("subbands", .symbol(Subbands.allCases.map(\.rawValue))),
        Parameter("normalization", .symbol(TargetNormalization.allCases.map(\.rawValue))),
      ],
      "The outputs `prediction.K` and `target.K` hold wavelet coefficients of the level K of `levels`."
    ) { arguments in
      .pictures(
        .wavelet(
          wavelet: try arguments.option("wavelet", Wavelet.init), levels: try arguments.integers("levels"),
          subbands: try arguments.symbol("subbands"), normalization: try arguments.symbol("normalization")))
    },
    BuiltIn(
      "patches", [Parameter("patch", .integer), Parameter("normalized", .flag, default: .flag(false))],
      "The output `prediction.0` holds pixels, as `patches` orders them."
    ) { arguments in
      .pictures(.patches(patch: try arguments.integer("patch"), normalized: try arguments.flag("normalized")))
    },
  ]
}
