/// What a schedule of a trainer is for; the raw value is its name in programs.
public enum ScheduleRole: String, Hashable, Sendable, Codable, CaseIterable {
  /// Trains in one round: gradients and the optimiser's updates.
  case step
  /// Adds every gradient to its accumulator, one round of several.
  case gradients
  /// Updates parameters from what the rounds have added up.
  case update
  /// Gives losses, predictions and targets, as the model is when it is evaluated.
  case forward
  /// Gives the features of images, whole.
  case features
  /// Takes the parameters into their running means, after a step.
  case average
  /// Rounds the parameters to bf16, after they were written from outside.
  case round

  /// Whether the schedule is part of a training step, which all runs make.
  public var trains: Bool {
    switch self {
    case .step, .gradients, .update: true
    case .forward, .features, .average, .round: false
    }
  }
}
