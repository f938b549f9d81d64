/// The share of a training step that a node belongs to; a node depends on none of a later region.
public enum Region: String, Hashable, Sendable, CaseIterable {
  /// Computes the loss, and what else the model gives.
  case forward
  /// Computes the gradients of the loss.
  case backward
  /// Makes new values of parameters, and of what the optimiser keeps, from gradients; or adds gradients up for that.
  case update
}
