/// Why code could not be generated or linked, in words for the person who asked for it.
public struct BackendError: Error, Hashable, Sendable, CustomStringConvertible {
  public var message: String

  public init(_ message: String) {
    self.message = message
  }

  public var description: String { message }
}
