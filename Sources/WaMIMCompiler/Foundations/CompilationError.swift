import WaMIMGraph

/// Something that keeps a correct graph from being compiled.
public struct CompilationError: Error, Hashable, Sendable, CustomStringConvertible {
  public var message: String
  public var location: SourceLocation?

  public init(_ message: String, at location: SourceLocation? = nil) {
    self.message = message
    self.location = location
  }

  public var description: String {
    (location.map { "\($0): " } ?? "") + "error: " + message
  }
}
