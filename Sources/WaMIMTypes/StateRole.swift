/// What a tensor is for that one step leaves for the next.
public enum StateRole: Hashable, Sendable, Codable {
  /// The model learns it.
  case parameter
  /// The optimiser's running mean of the powers `order` of the gradients for the parameter `of`.
  case moment(order: Int, of: String)
  /// The running mean over steps of the parameter `of`.
  case average(of: String)
  /// The model keeps it for itself, such as a running mean.
  case buffer

  /// Whether it is a running mean of a parameter, which only some runs keep.
  public var isAverage: Bool { if case .average = self { true } else { false } }
}
