/// A function of a `train` block: an optimiser, a schedule, or a step of the augmentation.
public struct Setting: Sendable {
  /// The labels of a `train` block.
  public enum Clause: String, CaseIterable, Sendable {
    case optimizer, schedule, augment

    /// Whether the clause takes a list of settings, not one.
    public var isList: Bool { self == .augment }
  }

  public let name: String
  public let clause: Clause
  /// What the setting does, in one sentence.
  public let summary: String
  /// What naming the setting says of hyperparameters that are none of its arguments.
  public let implied: [String: HyperparameterValue]

  private init(_ name: String, _ clause: Clause, implies implied: [String: HyperparameterValue] = [:], _ summary: String) {
    self.name = name
    self.clause = clause
    self.implied = implied
    self.summary = summary
  }

  /// The hyperparameters that belong to the setting, in the table's order.
  public var hyperparameters: [any AnyHyperparameter] { Hyperparameters.all.filter { $0.setting == name } }

  /// Whether the setting does nothing in `recipe`: whatever of its numbers is 0 by default is 0, and there is such a number.
  public func isIdle(in recipe: Recipe) -> Bool {
    let switches = hyperparameters.filter { $0.anyDefault == .number(0) }
    return clause.isList && !switches.isEmpty && switches.allSatisfy { recipe[$0] == .number(0) }
  }

  /// Every setting; the first one of a clause that takes one is what models have that name none.
  public static let all: [Setting] = [
    Setting(
      "adamw", .optimizer,
      "AdamW; the learning rate is for an effective batch of 256 and scales with the images of a step, `batch_accumulation` batches."
    ),
    Setting(
      "cosine", .schedule,
      "A linear warm-up of the learning rate, then half a cosine down to `min_lr`, both counted in epochs."),
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
      "mixup", .augment,
      "Two images of a batch blended, with a share from the distribution Beta(alpha, alpha), and their labels with them; beside "
        + "`cutmix`, in half of the batches. Batches have to be even."),
    Setting(
      "cutmix", .augment,
      "A rectangle of each image of a batch taken from another one, and their labels mixed by area; beside `mixup`, in half of the "
        + "batches. Batches have to be even."),
    Setting(
      "label_smoothing", .augment,
      "A `share` of each target spread evenly over all classes."),
    Setting(
      "normalize", .augment,
      "Each channel, in [0, 1], less its mean and over its standard deviation; ImageNet's where nothing is said."),
  ]

  /// The settings that a clause knows.
  public static func all(in clause: Clause) -> [Setting] { all.filter { $0.clause == clause } }
}
