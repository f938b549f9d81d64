import Foundation
import Testing
import WaMIM
import WaMIMCompiler

/// What the stages print, held against the comments of the models in `Dumps`.
struct DumpTests {
  /// The models, each with a first line `// RUN: OPTIONS` and comments for FileCheck.
  static let models: [String] = {
    let folder = Workshop.repository.appendingPathComponent("Tests/EndToEndTests/Dumps")
    return ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter { $0.hasSuffix(".wg") }.sorted()
  }()

  @Test func thereAreModels() { #expect(!DumpTests.models.isEmpty) }

  @Test(arguments: models) func stagesPrint(model: String) throws {
    let workshop = try Workshop()
    let file = Workshop.repository.appendingPathComponent("Tests/EndToEndTests/Dumps/\(model)")
    let text = try String(contentsOf: file, encoding: .utf8)
    let runs = text.split(separator: "\n").compactMap { $0.hasPrefix("// RUN: ") ? $0.dropFirst("// RUN: ".count) : nil }
    try #require(!runs.isEmpty)
    for run in runs {
      let options = run.split(separator: " ").map(String.init)
      let dump = try workshop.wamimc([file.path] + options.filter { !$0.hasPrefix("prefix=") } + ["-o", workshop.path("dump")])
      try #require(dump.status == 0, "\(dump.errors)")
      let prefix = options.first { $0.hasPrefix("prefix=") }?.dropFirst("prefix=".count) ?? "CHECK"
      let check = try workshop.run(
        try fileCheck(),
        ["--check-prefix=\(prefix)", "--input-file=\(workshop.path("dump"))", "--dump-input-context=20", file.path])
      #expect(check.status == 0, "\(check.errors)")
    }
  }

  /// FileCheck comes with LLVM's tools, in a folder for each version.
  private func fileCheck() throws -> String {
    let folders = ["19", "14"].map { "/usr/lib/llvm-\($0)/bin/FileCheck" }
    return try #require(
      folders.first { FileManager.default.isExecutableFile(atPath: $0) }, "FileCheck is not installed: make test-dependencies")
  }

  @Test(arguments: ["wamim_vit_demo", "wamim_vit_large"]) func theExpandedGraphCompilesToTheSameObject(model: String) throws {
    let workshop = try Workshop()
    let first = try workshop.wamimc([Workshop.model(model), "--emit", "graph", "-o", workshop.path("expanded.wg")])
    try #require(first.status == 0, "\(first.errors)")
    for (source, name) in [(Workshop.model(model), "a.o"), (workshop.path("expanded.wg"), "b.o")] {
      let result = try workshop.wamimc([source, "--emit", "obj", "-o", workshop.path(name)])
      try #require(result.status == 0, "\(result.errors)")
    }
    let objects = try ["a.o", "b.o"].map { try Data(contentsOf: URL(fileURLWithPath: workshop.path($0))) }
    #expect(objects[0] == objects[1])
  }

  @Test func everyPassCanBeShown() throws {
    let workshop = try Workshop()
    for pass in Compiler.passes.map(\.name) where pass != "fuse" {
      // A step of several rounds ends in a pass of its own.
      let schedule = Passes.all(for: .step).contains { $0.name == pass } ? "step" : "update"
      let result = try workshop.wamimc(
        [Workshop.model("wamim_vit_demo"), "--set", "batch=2", "--emit", "after:\(pass)", "--schedule", schedule])
      #expect(result.status == 0 && result.output.contains("model wamim_vit_demo"), "\(pass): \(result.errors)")
    }
  }
}
