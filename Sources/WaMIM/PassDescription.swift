import WaMIMCompiler

/// What can be known of a pass without running it.
public struct PassDescription: Hashable, Sendable {
  /// The name by which it is dumped and left out.
  public var name: String
  /// What it does, in one sentence.
  public var summary: String
  /// Whether it can be left out.
  public var isOptional: Bool

  /// Throws a `CompilationError` where it cannot be left out.
  public func requireOptional() throws {
    guard isOptional else {
      throw CompilationError("the pass '\(name)' cannot be left out, as there is no trainer without what it does")
    }
  }
}
