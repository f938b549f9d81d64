/// Where in a source text something stands.
public struct SourceLocation: Hashable, Sendable, CustomStringConvertible {
  public var file: String
  /// Counts from 1.
  public var line: Int
  /// Counts from 1; 0 where only the line is known.
  public var column: Int

  public init(file: String, line: Int, column: Int = 0) {
    self.file = file
    self.line = line
    self.column = column
  }

  public var description: String {
    column > 0 ? "\(file):\(line):\(column)" : "\(file):\(line)"
  }
}

/// A mistake in the description of a model: what is wrong, where, and what else is involved.
public struct GraphError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong and, where it can be said, what to do about it.
  public var message: String
  public var location: SourceLocation?
  /// Other locations that explain the mistake, such as where a disagreeing operand comes from.
  public var notes: [Note]

  /// A location that helps to explain an error.
  public struct Note: Hashable, Sendable {
    public var message: String
    public var location: SourceLocation?

    public init(_ message: String, at location: SourceLocation?) {
      self.message = message
      self.location = location
    }
  }

  public init(_ message: String, at location: SourceLocation? = nil, notes: [Note] = []) {
    self.message = message
    self.location = location
    self.notes = notes
  }

  public var description: String {
    let lines =
      [prefix(location) + "error: " + message] + notes.map { prefix($0.location) + "note: " + $0.message }
    return lines.joined(separator: "\n")
  }

  private func prefix(_ location: SourceLocation?) -> String {
    location.map { "\($0): " } ?? ""
  }
}
