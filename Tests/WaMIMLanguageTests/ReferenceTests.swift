import Foundation
import Testing
import WaMIMGraph
import WaMIMLanguage

/// The documentation of the language against the language.
@Suite struct ReferenceTests {
  private static let path = repository.appendingPathComponent("docs/language.md")

  /// `WAMIM_UPDATE_DOCS=1` writes the tables anew.
  @Test("the document holds the tables of the language as they are")
  func tables() throws {
    let text = try String(contentsOf: Self.path, encoding: .utf8)
    let start = try #require(text.range(of: "<!-- reference -->\n"))
    let end = try #require(text.range(of: "<!-- end of reference -->"))
    if ProcessInfo.processInfo.environment["WAMIM_UPDATE_DOCS"] == "1" {
      let updated = text[..<start.upperBound] + "\n" + Language.reference + "\n\n" + text[end.lowerBound...]
      return try Data(updated.utf8).write(to: Self.path)
    }
    #expect(text[start.upperBound..<end.lowerBound] == "\n" + Language.reference + "\n\n")
    for schema in OperationSchema.all { #expect(text.contains("`\(schema.name)("), "\(schema.name)") }
  }

  @Test("the examples of the document are models")
  func examples() throws {
    let text = try String(contentsOf: Self.path, encoding: .utf8)
    let blocks = text.components(separatedBy: "```").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
    let models = blocks.filter { $0.hasPrefix("wg\n") }.map { String($0.dropFirst(3)) }
    #expect(models.count >= 2)
    for model in models { #expect(complaint(about: model) == nil, "\(model)") }
  }
}
