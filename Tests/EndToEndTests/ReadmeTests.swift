import Foundation
import Testing

/// The programs that the README shows, word for word.
struct ReadmeTests {
  @Test func theFirstModelBecomesATrainer() throws {
    let workshop = try Workshop()
    let model = try #require(try ReadmeTests.blocks(of: "").first { $0.hasPrefix("model ") }, "the README shows no model")
    try model.write(toFile: workshop.path("model.wg"), atomically: true, encoding: .utf8)
    let compilation = try workshop.wamimc(["model.wg", "-o", "train"])
    try #require(compilation.status == 0, "\(compilation.errors)")
    try expectTrainer(in: workshop)
  }

  @Test func theFirstSwiftProgramBuildsATrainer() throws {
    let workshop = try Workshop()
    let program = try #require(try ReadmeTests.blocks(of: "swift").first, "the README shows no Swift program")
    try program.write(toFile: workshop.path("main.swift"), atomically: true, encoding: .utf8)
    let compilation = try workshop.run(
      "/usr/bin/env", ["swiftc", "main.swift", "-o", "program"] + ReadmeTests.libraryOptions(workshop))
    try #require(compilation.status == 0, "\(compilation.errors)")
    let result = try workshop.run(
      workshop.path("program"), [], environment: ["WAMIMC_LIBRARY_PATH": Workshop.products.path])
    try #require(result.status == 0, "\(result.errors)")
    try expectTrainer(in: workshop)
  }

  private func expectTrainer(in workshop: borrowing Workshop) throws {
    let information = try workshop.run(workshop.path("train"), ["info"])
    #expect(information.status == 0 && information.output.contains("model         tiny"), "\(information.errors)")
  }

  /// The README's blocks of code in `language`, in order.
  private static func blocks(of language: String) throws -> [String] {
    let text = try String(contentsOf: Workshop.repository.appendingPathComponent("README.md"), encoding: .utf8)
    let blocks = text.components(separatedBy: "```").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
    return blocks.filter { $0.hasPrefix(language + "\n") }.map { String($0.dropFirst(language.count + 1)) }
  }

  /// What `import WaMIM` and a link with it take besides a package manager, which would build the library once more.
  private static func libraryOptions(_ workshop: borrowing Workshop) throws -> [String] {
    let modules = [
      "WaMIM", "WaMIMLanguage", "WaMIMCompiler", "WaMIMCUDA", "WaMIMLLVM", "WaMIMTraining", "WaMIMLayers", "WaMIMGraph",
      "WaMIMManifest",
      "WaMIMRecipe", "WaMIMTypes", "BitCollections", "InternalCollectionsUtilities",
    ]
    let objects = try modules.flatMap { module in
      let folder = Workshop.products.appendingPathComponent("\(module).build")
      return try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".o") }.sorted()
        .map { folder.appendingPathComponent($0).path }
    }
    let version = ProcessInfo.processInfo.environment["WAMIM_LLVM_VERSION"] ?? "14"
    func llvm(_ option: String) throws -> String {
      try workshop.run("/usr/bin/env", ["llvm-config-\(version)", option]).output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
    let llvmModule = Workshop.repository.appendingPathComponent("Sources/CLLVM/module.modulemap").path
    return [
      "-I", Workshop.products.appendingPathComponent("Modules").path, "-Xcc", "-fmodule-map-file=\(llvmModule)", "-Xcc",
      "-I\(try llvm("--includedir"))", "-L\(try llvm("--libdir"))", "-lLLVM-\(version)",
    ] + objects
  }
}
