import Foundation
import WaMIMTraining
import WaMIMTypes

/// The `.wg` language: text to model and model to text.
public enum Language {
  /// The longest text that is read, in bytes.
  public static let largestSource = 16 << 20

  /// The model that `source` describes, with values of its top level replaced by `overrides`; messages call the text `file`.
  ///
  /// - Throws: `DiagnosticError`, what is wrong and where.
  public static func model(source: String, file: String, overrides: [Override] = []) throws(DiagnosticError) -> Model {
    let replaced = overrides.map { SourceText(name: "--set \($0.name)", text: $0.expression) }
    let sources = [SourceText(name: file, text: source)] + replaced
    do {
      let tokens = try Lexer.tokens(of: source, source: 0)
      guard tokens.count > 1 else { throw Mistake("the file is empty: a model starts with 'model NAME'", at: nil) }
      let (statements, mistakes) = Parser.program(tokens)
      guard mistakes.isEmpty else { throw DiagnosticError(mistakes.map(sources.diagnostic), in: sources) }
      let replacements = try parsed(overrides, for: statements)
      return try Elaborator.model(of: statements, replacing: replacements, sources: sources, tokens: tokens.count)
    } catch let error as DiagnosticError {
      throw error
    } catch let mistake as Mistake {
      guard mistake.position != nil else { throw DiagnosticError(mistake.message, file: file) }
      throw DiagnosticError([sources.diagnostic(mistake)], in: sources)
    } catch {
      throw DiagnosticError("\(error)", file: file)
    }
  }

  /// The model that the file at `path` describes, with values of its top level replaced by `overrides`.
  ///
  /// - Throws: `DiagnosticError`, what is wrong and where.
  public static func model(contentsOf path: String, overrides: [Override] = []) throws(DiagnosticError) -> Model {
    try model(source: try text(at: path), file: path, overrides: overrides)
  }

  /// The text of the file at `path`.
  ///
  /// - Throws: `DiagnosticError` where there is no such file, or it is no description of a model.
  public static func text(at path: String) throws(DiagnosticError) -> String {
    try SourceFile.text(at: path)
  }

  /// The expressions of `overrides` by the names that they replace.
  private static func parsed(_ overrides: [Override], for statements: [Statement]) throws -> [String: Expression] {
    let names = statements.settableNames
    var expressions: [String: Expression] = [:]
    for (index, override) in overrides.enumerated() {
      guard names.contains(override.name) else { throw unknown(override.name, names) }
      // The text of the model is the first source, those of the overrides follow.
      expressions[override.name] = try Parser.expression(try Lexer.tokens(of: override.expression, source: index + 1))
    }
    return expressions
  }

  private static func unknown(_ name: String, _ names: [String]) -> Mistake {
    let known = names.isEmpty ? "the model has no values to set" : "what can be set is \(names.joined(separator: ", "))"
    return Mistake("--set: there is nothing called '\(name)'\(Spelling.suggestion(for: name, among: names)) (\(known))", at: nil)
  }
}

/// A value of the top level that the command line replaces, as in `--set dim=72`.
public struct Override: Hashable, Sendable {
  public var name: String
  /// What the value becomes: an expression of the language.
  public var expression: String

  public init(name: String, expression: String) {
    self.name = name
    self.expression = expression
  }

  /// Reads `NAME=EXPRESSION`.
  ///
  /// - Throws: `DiagnosticError` where `text` has another form.
  public init(_ text: String) throws(DiagnosticError) {
    guard let sign = text.firstIndex(of: "="), sign != text.startIndex, text.index(after: sign) != text.endIndex else {
      throw DiagnosticError("'\(text)' is not of the form NAME=VALUE, such as dim=192", file: "--set")
    }
    self.init(name: text[..<sign].trimmingCharacters(in: .whitespaces), expression: String(text[text.index(after: sign)...]))
  }
}
