/// What fills an input before a schedule runs.
public enum Binding: Hashable, Sendable, Codable {
  /// A field of the data by name, such as `images`: one value for each sample, along the first axis.
  case data(String)
  /// Independent uniform numbers in [0, 1), new in every step.
  case random
  /// A number by the name that the recipe's table has for it: a hyperparameter, or something that follows from them.
  case hyperparameter(String)

  /// The field of the data that holds pictures.
  public static let images = Binding.data("images")
}

extension Binding {
  /// Whether each sample has values of its own, along the first axis.
  public var isOfSamples: Bool {
    switch self {
    case .data, .random: true
    case .hyperparameter: false
    }
  }
}
