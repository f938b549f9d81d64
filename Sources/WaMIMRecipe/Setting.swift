/// A function of a `train` or an `evaluate` block: an optimiser, a schedule, a step of the augmentation, or a metric.
public struct Setting: Sendable {
  /// Where clauses stand.
  public enum Block: String, CaseIterable, Sendable {
    case train, evaluate
  }

  /// The clauses of the blocks.
  public enum Clause: String, CaseIterable, Sendable {
    case optimizer, schedule
    /// What numbers products read.
    case precision
    case augment
    /// What is kept of the parameters beside them.
    case averages
    /// What is done to an image to evaluate on it.
    case view
    case metrics

    /// The label that the clause has in its block.
    public var label: String { self == .view ? Clause.augment.rawValue : rawValue }

    public var block: Block {
      switch self {
      case .optimizer, .schedule, .precision, .augment, .averages: .train
      case .view, .metrics: .evaluate
      }
    }

    /// Whether the clause takes a list of settings, not one.
    public var isList: Bool {
      switch self {
      case .optimizer, .schedule, .precision: false
      case .augment, .averages, .view, .metrics: true
      }
    }

    /// The clauses of a block.
    public static func all(in block: Block) -> [Clause] { allCases.filter { $0.block == block } }
  }

  public let name: String
  public let clause: Clause
  /// What the setting does, in one sentence.
  public let summary: String
  /// What naming the setting says of hyperparameters that are none of its arguments.
  public let implied: [String: HyperparameterValue]
  /// What arguments are where none are given, if that is not the table's default.
  public let defaults: [String: HyperparameterValue]
  /// Whether the setting can be named several times, each adding a number to its list.
  public let isRepeatable: Bool
  /// Whether it is about classes, and so means nothing to models that take no labels.
  public let needsLabels: Bool

  private init(
    _ name: String, _ clause: Clause, implies implied: [String: HyperparameterValue] = [:],
    defaults: [String: HyperparameterValue] = [:], isRepeatable: Bool = false, needsLabels: Bool = false,
    _ summary: String
  ) {
    self.name = name
    self.clause = clause
    self.implied = implied
    self.defaults = defaults
    self.isRepeatable = isRepeatable
    self.needsLabels = needsLabels
    self.summary = summary
  }

  /// The name by which hyperparameters say that they belong to the setting.
  public var key: String { clause.block == .train ? name : "\(clause.block.rawValue).\(name)" }

  /// The hyperparameters that belong to the setting, in the table's order.
  public var hyperparameters: [any AnyHyperparameter] { Hyperparameters.all.filter { $0.settings.contains(key) } }

  /// What an argument for `hyperparameter` is where none is given, or nil where one is needed.
  public func argumentDefault(of hyperparameter: any AnyHyperparameter) -> HyperparameterValue? {
    defaults[hyperparameter.name] ?? hyperparameter.anyArgumentDefault
  }

  /// Whether a text says as much of `recipe` without the setting: another was chosen over it, or it does nothing and is as by default.
  public func isIdle(in recipe: Recipe) -> Bool {
    guard clause.isList else { return recipe[choice: clause] != name }
    return hyperparameters.allSatisfy { recipe[$0] == $0.anyUnlisted ?? $0.anyDefault }
  }

  /// Every setting; the first one of a clause that takes one is what models have that name none.
  public static let all: [Setting] = [
    Setting(
      "adamw", .optimizer,
      "AdamW; the learning rate is for an effective batch of 256 and scales with the images of a step, `batch_accumulation` batches."
    ),
    Setting(
      "lars", .optimizer, defaults: ["base_lr": .number(0.1), "weight_decay": .number(0)],
      "LARS, as MoCo v3 has it: momentum, with the gradients of weights scaled to their lengths; the learning rate scales as AdamW's."
    ),
    Setting(
      "sgd", .optimizer, defaults: ["base_lr": .number(0.1), "weight_decay": .number(0)],
      "Gradient descent with momentum; the learning rate scales as AdamW's."),
    Setting(
      "cosine", .schedule,
      "A linear warm-up of the learning rate, then half a cosine down to `min_lr`, both counted in epochs."),
    Setting(
      "plateaus", .schedule,
      "A linear warm-up of the learning rate, which then stays, and falls to a tenth at each of the epochs `tenth_at`."),
    Setting("f32", .precision, "Everything is computed in float32."),
    Setting(
      "bf16", .precision,
      "Matmuls and attention read bf16 and add up in float32, and what only they read is stored as bf16; all else stays float32."),
    Setting(
      "random_resized_crop", .augment,
      "A random crop of the image, with a share `area` of its pixels and a ratio `aspect` of width to height, resized to the input."
    ),
    Setting(
      "center_crop", .augment, implies: ["crop_area": .none],
      "The largest square in the middle of the image, resized to the input: what an empty list does, too."),
    Setting(
      "horizontal_flip", .augment, implies: ["horizontal_flip": .flag(true)],
      "Left and right swapped in half of the images."),
    Setting(
      "vertical_flip", .augment, implies: ["vertical_flip": .flag(true)],
      "Top and bottom swapped in half of the images."),
    Setting(
      "quarter_turns", .augment, implies: ["quarter_turns": .flag(true)],
      "Each image turned by 0, 90, 180 or 270 degrees."),
    Setting(
      "rotate", .augment,
      "Each image rotated about its middle by up to `degrees`, either way, bicubically; what comes from outside is the mean colour."
    ),
    Setting(
      "translate", .augment,
      "Each image shifted by up to a `share` of its width and height, bicubically; what comes from outside is the mean colour."),
    Setting(
      "rand_augment", .augment,
      "RandAugment, as timm's `rand-m9-mstd0.5-inc1`: for each image `operations` of 15, each applied with probability 1/2 at a "
        + "magnitude from a normal distribution, within 0 to 10."),
    Setting(
      "color_jitter", .augment,
      "Brightness, contrast and saturation times a factor of 1 plus or minus up to what is said, and hues shifted, in random order."
    ),
    Setting(
      "random_erasing", .augment,
      "With `probability`, a rectangle of 0.02 to 1/3 of the image filled with normal noise, after the image is normalised."),
    Setting(
      "mixup", .augment, needsLabels: true,
      "Two images of a batch blended, with a share from the distribution Beta(alpha, alpha), and their labels with them; beside "
        + "`cutmix`, in half of the batches. Batches have to be even."),
    Setting(
      "cutmix", .augment, needsLabels: true,
      "A rectangle of each image of a batch taken from another one, and their labels mixed by area; beside `mixup`, in half of the "
        + "batches. Batches have to be even."),
    Setting(
      "label_smoothing", .augment, needsLabels: true,
      "A `share` of each target spread evenly over all classes."),
    Setting(
      "normalize", .augment,
      "Each channel, in [0, 1], less its mean and over its standard deviation; ImageNet's where nothing is said."),
    Setting(
      "ema", .averages,
      "A running mean of each parameter, of which a step keeps the share `keep`: evaluated beside the parameters, and taken where a command "
        + "says `--ema`."),
    Setting("center_crop", .view, "The middle of the image, whose shorter side is resized to `resize` pixels first."),
    Setting(
      "top", .metrics, isRepeatable: true, needsLabels: true,
      "The share of images whose class is among the `k` likeliest."),
  ]

  /// The settings that a clause knows.
  public static func all(in clause: Clause) -> [Setting] { all.filter { $0.clause == clause } }

  /// The setting of that name which a clause knows, or nil.
  public static func named(_ name: String, in clause: Clause) -> Setting? { all(in: clause).first { $0.name == name } }
}
