import Foundation
import Testing

/// Dependencies point one way: among the modules of the package, and among the folders of the compiler.
struct DirectionTests {
  /// The folders of WaMIMCompiler, each of which may use those before it.
  static let folders = [
    "Foundations", "Kernels", "Backend", "Differentiation", "Simplification", "Precision", "Batching", "Fusion", "Planning",
    "Pipeline",
  ]

  private func order(planting text: String? = nil, at path: String = "") throws -> FolderOrder {
    let planted = text.map { [SourceFile(path: path, text: $0)] } ?? []
    return FolderOrder(
      folders: DirectionTests.folders, files: try SourceFile.all(in: "Sources/WaMIMCompiler") + planted,
      others: try SourceFile.all(in: "Sources/WaMIMGraph") + SourceFile.all(in: "codegen/manifest"))
  }

  @Test func foldersUseWhatComesBeforeThem() throws {
    let violations = try order().violations()
    #expect(violations.isEmpty, "\(violations.joined(separator: "\n"))")
  }

  @Test(
    arguments: [
      ("Fusion/Planted.swift", "func plan(_ call: LoweredCall) -> Phasing? { nil }", "Phasing"),
      ("Simplification/Planted.swift", "func f() { _ = Passes.all }", "Passes"),
      ("Kernels/Planted.swift", "func f(_ x: Graph) { x.withSumsWithinUnits() }", "withSumsWithinUnits"),
      ("Planted/Planted.swift", "", "is not in the order"),
    ])
  func whatPointsUpwardsIsFound(path: String, text: String, reason: String) throws {
    let violations = try order(planting: text, at: path).violations()
    #expect(violations.count == 1 && violations[0].contains(reason), "\(violations)")
  }

  @Test func modulesImportWhatThePackageSays() throws {
    let package = try PackageDescription.ofRepository()
    #expect(package.targets.count > 10)
    for target in package.targets {
      let violations = package.violations(in: target, try SourceFile.all(in: target.path))
      #expect(violations.isEmpty, "\(violations.joined(separator: "\n"))")
    }
  }

  @Test func anImportThatThePackageDoesNotSayIsFound() throws {
    let package = try PackageDescription.ofRepository()
    let graph = try #require(package.targets.first { $0.name == "WaMIMGraph" })
    for text in ["import WaMIMCompiler", "@_exported import WaMIMLLVM", "  import struct WaMIMCompiler.Program"] {
      #expect(package.violations(in: graph, [SourceFile(path: "Planted.swift", text: text)]).count == 1, "\(text)")
    }
    #expect(package.violations(in: graph, [SourceFile(path: "Planted.swift", text: "import Foundation")]).isEmpty)
  }
}

/// What `Package.swift` says of the targets: their names, folders and dependencies.
private struct PackageDescription {
  struct Target {
    var name: String
    var path: String
    var dependencies: Set<String>
  }

  var targets: [Target]

  static func ofRepository() throws -> PackageDescription {
    let file = SourceFile.repository.appendingPathComponent("Package.swift")
    return PackageDescription(try String(contentsOf: file, encoding: .utf8))
  }

  /// Reads the targets of a package's description, each of which begins with its kind.
  init(_ text: String) {
    let code = text.replacing(#/\/\/[^\n]*/#, with: "")
    let starts = code.matches(of: #/\.(?:executableTarget|target|testTarget|systemLibrary)\(/#).map(\.range)
    let ends = starts.dropFirst().map(\.lowerBound) + [code.endIndex]
    targets = zip(starts, ends).compactMap { start, end in
      let body = code[start.upperBound..<end]
      guard let name = body.firstMatch(of: #/name: "(?<name>\w+)"/#)?.name else { return nil }
      let list = body.firstMatch(of: #/dependencies: \[(?<list>[^\]]*)\]/#)?.list ?? ""
      let isTest = code[start].hasPrefix(".testTarget")
      let path = body.firstMatch(of: #/path: "(?<path>[^"]+)"/#).map { String($0.path) }
      return Target(
        name: String(name), path: path ?? (isTest ? "Tests/\(name)" : "Sources/\(name)"),
        dependencies: Set(list.matches(of: #/"(?<name>[^"]+)"/#).map { String($0.name) }))
    }
  }

  /// The imports of `files`, which belong to `target`, of targets that it does not depend on.
  func violations(in target: Target, _ files: [SourceFile]) -> [String] {
    let names = Set(targets.map(\.name))
    return files.flatMap { file in
      file.imports.filter { names.contains($0) && !target.dependencies.contains($0) }
        .map { "\(target.path)/\(file.path) imports \($0), which \(target.name) does not depend on in Package.swift" }
    }
  }
}
