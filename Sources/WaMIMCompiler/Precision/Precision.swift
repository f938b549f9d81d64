/// What the numbers are in which a program computes.
public enum Precision: Hashable, Sendable {
  /// All are float32.
  case float32
  /// Products read bf16. The parameters that are named in `copies` are kept in bf16 as well.
  case mixed(copies: Set<String>)

  /// The names of the parameters that are kept in bf16 as well; nil where nothing is bf16.
  var copies: Set<String>? {
    if case .mixed(let copies) = self { copies } else { nil }
  }
}
