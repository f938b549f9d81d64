import Foundation
import Testing
import WaMIM
import WaMIMCompiler
import WaMIMLLVM
import WaMIMLanguage

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
      try dropManifest(fromFile: workshop.path("dump"))
      let prefix = options.first { $0.hasPrefix("prefix=") }?.dropFirst("prefix=".count) ?? "CHECK"
      let check = try workshop.run(
        try fileCheck(),
        ["--check-prefix=\(prefix)", "--input-file=\(workshop.path("dump"))", "--dump-input-context=20", file.path])
      #expect(check.status == 0, "\(check.errors)")
    }
  }

  /// Takes the manifest out of LLVM's IR and assembly: it holds the model's text, and with it what is looked for.
  private func dropManifest(fromFile path: String) throws {
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
    let kept = lines.filter { !$0.hasPrefix("@manifest = ") && !$0.hasPrefix("\t.ascii\t") && !$0.hasPrefix("\t.asciz\t") }
    try kept.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
  }

  /// FileCheck comes with LLVM's tools, in a folder for each version.
  private func fileCheck() throws -> String {
    let folders = ["19", "14"].map { "/usr/lib/llvm-\($0)/bin/FileCheck" }
    return try #require(
      folders.first { FileManager.default.isExecutableFile(atPath: $0) }, "FileCheck is not installed: make test-dependencies")
  }

  @Test(arguments: ["wamim_vit_demo", "wamim_vit_large"]) func theExpandedGraphCompilesToTheSameObject(model: String) throws {
    let described = try Language.model(contentsOf: Workshop.model(model))
    let expanded = try Language.model(source: Language.print(described), file: "expanded.wg")
    let compiler = Compiler()
    let objects = try [described, expanded].map { model in
      var program = try compiler.program(for: model)
      // Each operation of the expanded graph stands on a line of its own, by which layers are numbered.
      (program.manifest.origins.sources, program.manifest.origins.layers) = ([], [])
      for index in program.manifest.calls.indices { program.manifest.calls[index].origins = .init() }
      return try LLVMBackend(processor: compiler.processor).emit(program, as: .object)
    }
    #expect(objects[0] == objects[1])
  }

  @Test func everyPassCanBeShown() throws {
    let workshop = try Workshop()
    for pass in Compiler.passes.map(\.name) where !Compilation.stepsAfterGraphs.contains(pass) {
      // A step of several rounds ends in a pass of its own, and so do running means.
      let roles = ScheduleRole.allCases.filter { role in Passes.all(for: role).contains { $0.name == pass } }
      let schedule = try #require(roles.first).rawValue
      let result = try workshop.wamimc(
        [
          Workshop.model("wamim_vit_demo"), "--set", "batch=2", "--precision", "bf16", "--emit", "after:\(pass)", "--schedule",
          schedule,
        ])
      #expect(result.status == 0 && result.output.contains("model wamim_vit_demo"), "\(pass): \(result.errors)")
    }
  }
}
