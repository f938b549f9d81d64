import Foundation
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter
import WaMIMLanguage

/// Trainers in mixed precision.
struct MixedPrecisionTests {
  private static let shallow = AgreementTests.golden + ["depth=1", "taps=[1]", "levels=[2]", "weights=[1.0]"]

  /// Models, and how far over a whole tensor results may be from the interpreter's.
  ///
  /// An element that lies between two bf16 numbers, of some ten thousand, may go to either, and so may all that it leads to: the deeper, the
  /// more.
  private static let models: [(name: String, settings: [String], tolerance: Double)] = [
    ("wamim_vit_demo", shallow + ["dim=20", "heads=1", "decoder_dim=20", "decoder_heads=1", "batch=5"], 2e-3),
    ("wamim_vit_demo", shallow, 2e-3),
    ("wamim_vit_demo", AgreementTests.golden, 3e-2),
  ]

  /// Layers alone, of which hardly an element lies so near the middle of two bf16 numbers that it is rounded another way; in attention's
  /// gradients some do.
  @Test(
    arguments: [
      "let y = x", "let y = linear(gelu(x), width: 32, name: \"b\")",
      "let y = linear(layer_norm(x, name: \"n\"), width: 32, name: \"b\")",
      "let y = attention(linear(x, width: 48, name: \"q\"), linear(x, width: 48, name: \"k\"), linear(x, width: 48, name: \"v\"), heads: 2)",
    ])
  func layersAgreeWithTheInterpreter(body: String) throws {
    let workshop = try Workshop()
    let source = """
      model layers
      input images: f32[2, 1, 16, 16]
      let x = linear(patches(images, 4), width: 48, name: "a")
      \(body)
      output "y" = y
      loss sum(y * y, axes: [0, 1, 2])
      """
    try source.write(toFile: workshop.path("layers.wg"), atomically: true, encoding: .utf8)
    let graph = try Language.model(source: source, file: "layers.wg").graph
    var generator = SeededGenerator(seed: 41)
    let sources = graph.randomSources(using: &generator)
    try workshop.write(sources, of: graph, to: "in.safetensors")
    let compiled = try workshop.wamimc([workshop.path("layers.wg"), "--precision", "bf16", "-o", workshop.path("train")])
    try #require(compiled.status == 0, "\(compiled.errors)")
    let result = try workshop.run(workshop.path("train"), ["grad", "--input", "in.safetensors", "--output", "out"])
    try #require(result.status == 0, "\(result.errors)")
    let actual = try Safetensors(contentsOf: workshop.path("out"))
    let tolerance = body.contains("attention") ? 5e-4 : 1e-4
    // The gradient of the keys' bias is zero but for rounding.
    for (tensor, expected) in try results(graph, sources) where tensor != "grad.k.bias" {
      let found = try #require(actual.tensors[tensor], "no output '\(tensor)'")
      let error = relativeError(found.elements, expected.elements)
      #expect(error <= tolerance, "\(tensor): \(error)")
    }
  }

  /// The length of the difference, over that of what is expected.
  private func distance(_ actual: [Double], _ expected: [Double]) -> Double {
    func length(_ numbers: [Double]) -> Double { numbers.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    return length(zip(actual, expected).map { $0 - $1 }) / max(length(expected), 1e-9)
  }

  /// Instructions that multiply pairs, where this machine has them, and others.
  @Test(arguments: models.indices.map { $0 }.sampled(oneOf: 3), [[], ["--cpu", "x86-64"], ["--micro-batch", "1"]])
  func gradientsAgreeWithTheInterpreter(index: Int, options: [String]) throws {
    let (name, settings, tolerance) = Self.models[index]
    let workshop = try Workshop()
    let graph = try Language.model(contentsOf: Workshop.model(name), overrides: settings.map { try Override($0) }).graph
    var generator = SeededGenerator(seed: 41)
    let sources = graph.randomSources(using: &generator)
    try workshop.write(sources, of: graph, to: "in.safetensors")
    try workshop.compile(name, settings, options: ["--precision", "bf16"] + options)
    var bits: Data?
    for threads in [1, 2, 3] {
      let result = try workshop.run(
        workshop.path("train"), ["grad", "--input", "in.safetensors", "--output", "out", "--threads", "\(threads)"])
      try #require(result.status == 0, "\(result.errors)")
      let data = try Data(contentsOf: URL(fileURLWithPath: workshop.path("out")))
      #expect(bits == nil || bits == data, "\(threads) threads")
      bits = data
    }
    let actual = try Safetensors(contentsOf: workshop.path("out"))
    var worst = (error: 0.0, tensor: "")
    for (tensor, expected) in try results(graph, sources) {
      let found = try #require(actual.tensors[tensor], "no output '\(tensor)'")
      let error = distance(found.elements, expected.elements)
      if error > worst.error { worst = (error, tensor) }
    }
    #expect(worst.error <= tolerance, "\(worst.tensor) of \(name) \(settings) \(options): \(worst.error)")
  }

  /// What the interpreter makes of the graph that rounds: losses, predictions, targets and gradients.
  private func results(_ graph: Graph, _ sources: [String: [Double]]) throws -> [String: DenseTensor] {
    let copies = Set(graph.values.compactMap { graph[$0].operation.sourceName })
    let plain = try [ScheduleRole.forward, .gradients].map { role in
      let mixed = try Passes.run(graph, for: role, precision: .mixed(copies: copies))
      var sources = sources
      for node in mixed.nodes {
        guard case .state(let name, _, .rounded(let parameter), _) = node.operation, let value = sources[parameter] else {
          continue
        }
        sources[name] = value.map { Double(BFloat16.rounded(Float($0))) }
      }
      return try Interpreter(mixed).evaluate(sources).results
    }
    return plain[0].merging(plain[1]) { forward, _ in forward }
  }

  /// Checkpoints hold float32 alone, and a run goes from one precision to the other and back.
  @Test func runsGoFromOnePrecisionToTheOther() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny, to: "single")
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny, options: ["--precision", "bf16"], to: "mixed")
    func fit(_ trainer: String, _ options: String...) throws -> CommandResult {
      let words = ["fit", "--pictures", "0", "--threads", "2"] + options
      let result = try workshop.run(workshop.path(trainer), words)
      try #require(result.status == 0, "\(result.errors)")
      return result
    }
    for trainer in ["single", "mixed"] {
      _ = try fit(trainer, "--data", "synthetic:40", "--epochs", "2", "--out", "run-\(trainer)")
    }
    let files = try ["single", "mixed"].map { try Safetensors(contentsOf: workshop.path("run-\($0)/checkpoint.safetensors")) }
    #expect(Set(files[0].tensors.keys) == Set(files[1].tensors.keys))
    #expect(files[0].tensors.contains { name, tensor in tensor.elements != files[1].tensors[name]?.elements })
    let record = try String(contentsOfFile: workshop.path("run-mixed/run.json"), encoding: .utf8)
    #expect(record.contains("\"precision\" : \"bf16\"") || record.contains("\"precision\": \"bf16\""), "\(record)")
    #expect(try workshop.run(workshop.path("mixed"), ["info"]).output.contains("precision     bf16\n"))

    // One process, and two of them with a checkpoint between, which says nothing of rounded parameters.
    _ = try fit("mixed", "--data", "synthetic:40", "--epochs", "2", "--limit-steps", "7", "--out", "cut")
    _ = try fit("mixed", "--resume", "cut")
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: workshop.path("cut/checkpoint.safetensors")))
        == Data(contentsOf: URL(fileURLWithPath: workshop.path("run-mixed/checkpoint.safetensors"))))

    _ = try fit("mixed", "--data", "synthetic:40", "--epochs", "2", "--limit-steps", "5", "--out", "both")
    _ = try fit("single", "--resume", "both", "--limit-steps", "10")
    _ = try fit("mixed", "--resume", "both")
    let lines = try String(contentsOfFile: workshop.path("both/metrics.jsonl"), encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 20)
  }

  /// Running means of parameters are evaluated as the parameters are, rounded.
  @Test func runningMeansAreRoundedToEvaluateThem() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny, options: ["--precision", "bf16"])
    let words = [
      "fit", "--data", "synthetic:16", "--val", "synthetic:8", "--epochs", "2", "--ema", "0", "--pictures", "0", "--out",
    ]
    #expect(try workshop.run(workshop.path("train"), words + ["plain"]).status == 0)
    var averaged = words
    averaged[8] = "0.5"
    #expect(try workshop.run(workshop.path("train"), averaged + ["averaged"]).status == 0)
    // Evaluating the means between steps leaves no trace in the parameters' copies.
    let names = ["plain", "averaged"]
    let tensors = try names.map { try Safetensors(contentsOf: workshop.path("\($0)/checkpoint.safetensors")).tensors }
    for (name, tensor) in tensors[0] { #expect(tensors[1][name]?.elements == tensor.elements, "\(name)") }
  }

  /// A loss that is not finite says how to go on without rounding.
  @Test func overflowsPointToFloat32() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny, options: ["--precision", "bf16"])
    let words = ["fit", "--data", "synthetic:16", "--epochs", "5", "--base-lr", "1e30", "--pictures", "0", "--out", "run"]
    let result = try workshop.run(workshop.path("train"), words)
    #expect(result.status == 1 && result.errors.contains("'wamimc --precision f32'"), "\(result.errors)")
  }

  @Test func mistakesAreTold() throws {
    let workshop = try Workshop()
    let model = Workshop.model("wamim_vit_demo")
    let unknown = try workshop.wamimc([model, "--precision", "fp16", "-o", workshop.path("x")])
    #expect(unknown.status == 64 && unknown.errors.contains("--precision takes f32 or bf16, not 'fp16'"), "\(unknown.errors)")
    let library = try workshop.wamimc([model, "--precision", "bf16", "--matmul", "openblas", "-o", workshop.path("x")])
    #expect(library.status == 1 && library.errors.contains("OpenBLAS multiplies float32 numbers"), "\(library.errors)")
    let named = try workshop.wamimc([model, "--set", "precision=bf17", "-o", workshop.path("x")])
    #expect(named.status == 1 && named.errors.contains("bf16"), "\(named.errors)")
  }

  /// Every graph has the knob, and its text says so again.
  @Test func everyGraphHasTheKnob() throws {
    let folder = Workshop.repository.appendingPathComponent("graphs")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".wg") }
    #expect(files.count > 10)
    for file in files {
      let path = folder.appendingPathComponent(file).path
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(text.contains("let precision = f32"), "\(file)")
      guard file.contains("demo") else { continue }
      let model = try Language.model(contentsOf: path, overrides: [Override("precision=bf16")])
      #expect(model.recipe.isMixedPrecision, "\(file)")
      #expect(try Language.model(source: Language.print(model), file: "again.wg").recipe.isMixedPrecision, "\(file)")
    }
  }
}
