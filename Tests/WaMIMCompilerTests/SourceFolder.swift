import Foundation

/// A Swift source text without its comments and strings.
struct SourceFile {
  /// The path from the folder that it was read from.
  var path: String
  var code: String

  init(path: String, text: String) {
    self.path = path
    code = text.replacing(#/"(?:\\.|[^"\\\n])*"/#, with: "\"\"").replacing(#/\/\/[^\n]*/#, with: "")
  }

  /// The outermost folder of the path.
  var folder: String { String(path.split(separator: "/").first ?? "") }

  /// The words of the code that can be names.
  var words: Set<Substring> { Set(code.matches(of: #/[A-Za-z_][A-Za-z0-9_]*/#).map(\.output)) }

  /// The modules that the file imports.
  var imports: [String] {
    code.matches(of: #/(?m)^\s*(?:@\w+\s+)*import\s+(?:(?:struct|enum|class|func)\s+)?(?<module>\w+)/#).map { String($0.module) }
  }

  /// The repository that the tests are in.
  static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The Swift files in `folder` of the repository and in the folders below it.
  static func all(in folder: String) throws -> [SourceFile] {
    let root = repository.appendingPathComponent(folder)
    let paths = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
    return try paths.filter { $0.hasSuffix(".swift") }.sorted().map { path in
      SourceFile(path: path, text: try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8))
    }
  }
}
