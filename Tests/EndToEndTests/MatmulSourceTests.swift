import Foundation
import Testing
import WaMIMLLVM

/// Where matrix products come from: what `auto` chooses, what shows it, and what OpenBLAS is told of the processor.
struct MatmulSourceTests {
  @Test(
    arguments: ["wamim_vit_demo", "wamim_vit_tiny", "wamim_vit_base"],
    [
      ("x86-64-v3", "generated"), ("icelake-server", "generated"), ("sapphirerapids", "generated"), ("znver4", "generated"),
      ("neoverse-n1", "generated"),
      ("x86-64", "openblas"), ("x86-64-v2", "openblas"),
    ])
  func automaticIsTheCheaperOne(model: String, choice: (processor: String, source: String)) throws {
    let workshop = try Workshop()
    let result = try workshop.wamimc([Workshop.model(model), "--cpu", choice.processor, "--emit", "matmuls"])
    try #require(result.status == 0, "\(result.errors)")
    #expect(result.output.hasPrefix("matrix products of a step of \(model) on \(choice.processor): \(choice.source)\n"))
  }

  /// The table has each product of a step once, its calls counted over the rounds, and sums that are those of its lines.
  @Test(arguments: [[], ["--micro-batch", "4"]]) func theTableIsWhole(options: [String]) throws {
    let workshop = try Workshop()
    let model = [Workshop.model("wamim_vit_demo"), "--set", "batch=16"] + options
    let lines = try workshop.wamimc(model + ["--emit", "matmuls"]).output.split(separator: "\n").map(String.init)
    let rows = lines.dropFirst(3).map { $0.split(separator: " ").map(String.init) }
    let plan = try workshop.wamimc(model + ["--emit", "plan"]).output

    // What the plan calls, in as many chunks as each group has.
    var calls: [String: Int] = [:]
    var (schedule, chunks) = ("", 0)
    for line in plan.split(separator: "\n").map({ $0.split(separator: " ") }) where line.count > 1 {
      if line[0] == "schedule" { schedule = line[1].replacingOccurrences(of: ":", with: "") }
      if line[1] == "chunks" { chunks = try #require(Int(line[0])) }
      let rounds = options.isEmpty ? ["step": 1] : ["gradients": 4, "update": 1]
      if let kernel = line[0].split(separator: "_matmul(").first, line[0].contains("_matmul(") {
        calls[String(kernel), default: 0] += chunks * (rounds[schedule] ?? 0)
      }
    }
    calls = calls.filter { $0.value > 0 }
    #expect(!calls.isEmpty && Dictionary(uniqueKeysWithValues: rows.map { ($0[0], Int($0[1]) ?? 0) }) == calls)
    for (column, name) in [(2, "generated"), (3, "openblas")] {
      let words = lines[1].split(separator: " ")
      let position = try #require(words.firstIndex { $0.hasPrefix(name) })
      let total = try #require(Double(words[position - 1]))
      let sum = rows.reduce(0) { $0 + (Double($1[column]) ?? .infinity) }
      #expect(abs(sum / total - 1) < 0.01, "\(name): \(sum) of \(total)")
    }
  }

  @Test(arguments: [("sapphirerapids", true), ("icelake-server", false)]) func theTableNamesTheVariant(name: String, has: Bool)
    throws
  {
    let result = try Workshop().wamimc([Workshop.model("wamim_vit_tiny"), "--cpu", name, "--emit", "matmuls"])
    #expect(result.output.contains(" x 768 x 192, right transposed, amx bf16×3\n") == has)
    // A head's few columns are not for it.
    #expect(result.output.contains(" x 9 x 128, right transposed, avx512 8x48\n"))
  }

  @Test(arguments: [("x86-64", true), ("x86-64-v3", false)]) func codeFollowsTheChoice(processor: String, isLibrary: Bool) throws {
    let workshop = try Workshop()
    let result = try workshop.wamimc(
      [Workshop.model("wamim_vit_demo"), "--cpu", processor, "--emit", "llvm", "-o", workshop.path("code.ll")])
    try #require(result.status == 0, "\(result.errors)")
    let code = try String(contentsOfFile: workshop.path("code.ll"), encoding: .utf8)
    #expect(code.contains("call void @cblas_sgemm") == isLibrary)
    #expect(code.contains("@pack_tiles_") == !isLibrary)
  }

  /// OpenBLAS takes its oldest code for a processor that it doesn't know, unless it is told what that one has.
  @Test(.enabled(if: Architecture.native == .x86 && TargetProcessor.native.features.contains("avx2")))
  func openBLASUsesWhatTheProcessorHas() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", ["batch=2", "dim=48"], options: ["--matmul", "openblas"])
    func core(_ environment: [String: String]) throws -> String {
      let verbose = environment.merging(["OPENBLAS_VERBOSE": "2"]) { mine, _ in mine }
      let result = try workshop.run(
        "/usr/bin/env", ["-u", "OPENBLAS_CORETYPE"] + verbose.map { "\($0)=\($1)" } + [workshop.path("train"), "info"])
      let line = try #require((result.output + result.errors).split(separator: "\n").first { $0.hasPrefix("Core: ") })
      return String(line.dropFirst("Core: ".count))
    }
    #expect(try ["SkylakeX", "Haswell", "Zen"].contains(core([:])))
    #expect(try core(["OPENBLAS_CORETYPE": "Nehalem"]) == "Nehalem")
  }
}
