import WaMIMGraph

/// One mistake in a description of a model.
public struct Diagnostic: Hashable, Sendable {
  /// What is wrong and, where it can be said, what to do about it.
  public var message: String
  public var location: SourceLocation?
  /// Other positions that explain the mistake.
  public var notes: [GraphError.Note]

  init(_ message: String, at location: SourceLocation?, notes: [GraphError.Note] = []) {
    self.message = message
    self.location = location
    self.notes = notes
  }
}

/// What is wrong with a description of a model, ready to be shown to its author.
public struct DiagnosticError: Error, Sendable, CustomStringConvertible {
  /// The mistakes, in the order in which they were found; at least one.
  public let diagnostics: [Diagnostic]
  /// The mistakes as text: position, message, the source line with a caret, notes; without a line break at the end.
  public let description: String

  init(_ diagnostics: [Diagnostic], in sources: [SourceText]) {
    self.diagnostics = diagnostics
    let renderer = Renderer(sources: sources)
    description = diagnostics.map(renderer.rendered).joined(separator: "\n")
  }

  /// A mistake with a whole file.
  init(_ message: String, file: String) {
    diagnostics = [Diagnostic(message, at: nil)]
    description = "\(file): error: \(message)"
  }
}

/// Turns diagnostics into text.
private struct Renderer {
  var sources: [SourceText]

  func rendered(_ diagnostic: Diagnostic) -> String {
    let notes = diagnostic.notes.map { message("note", $0.message, at: $0.location) }
    return ([message("error", diagnostic.message, at: diagnostic.location)] + notes).joined(separator: "\n")
  }

  private func message(_ severity: String, _ text: String, at location: SourceLocation?) -> String {
    let line = (location.map { "\($0): " } ?? "") + "\(severity): \(text)"
    guard let location, let source = sources.first(where: { $0.name == location.file }),
      let excerpt = source.excerpt(line: location.line, column: location.column)
    else { return line }
    return line + "\n" + excerpt
  }
}

/// A mistake on its way from where it is found to where the sources are known.
struct Mistake: Error {
  var message: String
  var position: Position?
  var notes: [Note] = []

  /// A position that explains the mistake.
  struct Note {
    var message: String
    var position: Position
  }

  init(_ message: String, at position: Position?, notes: [Note] = []) {
    self.message = message
    self.position = position
    self.notes = notes
  }
}

extension [SourceText] {
  /// `position` under the name of its file.
  func location(_ position: Position) -> SourceLocation {
    let name = indices.contains(Int(position.source)) ? self[Int(position.source)].name : "?"
    return SourceLocation(file: name, line: Int(position.line), column: Int(position.column))
  }

  /// `mistake` with the names of its files.
  func diagnostic(_ mistake: Mistake) -> Diagnostic {
    Diagnostic(
      mistake.message, at: mistake.position.map(location),
      notes: mistake.notes.map { .init($0.message, at: location($0.position)) })
  }
}
