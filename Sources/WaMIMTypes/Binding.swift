/// What fills an input before a schedule runs.
public enum Binding: Hashable, Sendable, Codable {
  /// A field of the data by name, such as `images`: one value for each sample, along the first axis.
  case data(String)
  /// Independent uniform numbers in [0, 1), new in every step; samples follow each other along the axis `samples`, or share the numbers
  /// of their batch where it is nil.
  case random(samples: Int?)
  /// A number by the name that the recipe's table has for it: a hyperparameter, or something that follows from them.
  case hyperparameter(String)

  /// The field of the data that holds pictures.
  public static let images = Binding.data("images")
  /// The field of the data that holds what pictures show: a row of shares for each sample, one for each class.
  public static let labels = Binding.data("labels")
  /// Uniform numbers for each sample, along the first axis.
  public static let random = Binding.random(samples: 0)
}

extension Binding {
  /// The axis along which samples follow each other, or nil where they share what there is.
  public var sampleAxis: Int? {
    switch self {
    case .data: 0
    case .random(let samples): samples
    case .hyperparameter: nil
    }
  }

  /// Whether the values are drawn anew in every step.
  public var isRandom: Bool {
    if case .random = self { true } else { false }
  }
}
