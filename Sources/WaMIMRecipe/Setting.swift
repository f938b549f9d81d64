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
      "A random part of the image, with a share `area` of its pixels and a ratio `aspect` of width to height, resized to the input."
    ),
    Setting(
      "center_crop", .augment, implies: ["crop_area": .none],
      "The largest square in the middle of the image, resized to the input: what an empty list does, too."),
    Setting(
      "horizontal_flip", .augment, implies: ["horizontal_flip": .flag(true)],
      "Left and right swapped in half of the images."),
    Setting(
      "normalize", .augment,
      "Each channel, in [0, 1], less its mean and over its standard deviation; ImageNet's where nothing is said."),
  ]

  /// The settings that a clause knows.
  public static func all(in clause: Clause) -> [Setting] { all.filter { $0.clause == clause } }
}
