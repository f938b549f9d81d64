import WaMIMGraph

/// A step of the compiler from graph to graph, which keeps what the graph means.
public struct Pass: Sendable {
  /// The name by which it is dumped and switched off.
  public let name: String
  /// What it does, in one sentence.
  public let summary: String
  /// Whether the rest of the compiler can do without it.
  public let isOptional: Bool
  /// The step itself.
  public let transform: @Sendable (Graph) throws -> Graph

  init(_ name: String, _ summary: String, isOptional: Bool = true, _ transform: @escaping @Sendable (Graph) throws -> Graph) {
    self.name = name
    self.summary = summary
    self.isOptional = isOptional
    self.transform = transform
  }
}
