/// What a schedule of a trainer is for; the raw value is its name in programs.
public enum ScheduleRole: String, Hashable, Sendable, Codable, CaseIterable {
  /// Trains in one round: gradients and the optimiser's updates.
  case step
  /// Adds every gradient to its accumulator, one round of several.
  case gradients
  /// Updates parameters from what the rounds have added up.
  case update
  /// Gives losses, predictions and targets.
  case forward
}
