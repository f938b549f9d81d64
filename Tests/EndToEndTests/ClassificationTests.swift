import Foundation
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter
import WaMIMLanguage

/// Classifiers against the reference in PyTorch and against the interpreter.
struct ClassificationTests {
  private static let fixtures = Workshop.repository.appendingPathComponent("Tests/Golden")

  private static func fixture(_ name: String) throws -> Safetensors {
    try Safetensors(contentsOf: fixtures.appendingPathComponent("\(name).safetensors").path)
  }

  /// The settings of the reference's case.
  static let golden = [
    "image=32", "patch=4", "dim=48", "depth=4", "heads=3", "classes=10", "drop_path=0.4", "batch=4", "epsilon=1e-4",
  ]

  /// Runs `grad` on what a file gives.
  private func gradients(
    _ workshop: borrowing Workshop, _ tensors: [String: Safetensors.Tensor], _ options: [String] = []
  ) throws -> Safetensors {
    try Data(Safetensors.bytes(of: tensors)).write(to: URL(fileURLWithPath: workshop.path("in.safetensors")))
    let result = try workshop.run(
      workshop.path("train"), ["grad", "--input", "in.safetensors", "--output", "out.safetensors"] + options)
    try #require(result.status == 0, "\(result.errors)")
    return try Safetensors(contentsOf: workshop.path("out.safetensors"))
  }

  private func expect(_ actual: Safetensors, _ expected: [String: Safetensors.Tensor], _ context: String = "") throws {
    for (name, tensor) in expected {
      let found = try #require(actual.tensors[name], "no output '\(name)' \(context)")
      let error = relativeError(found.elements, tensor.elements)
      #expect(error <= AgreementTests.tolerance, "\(name) \(context): \(error)")
    }
  }

  /// Loss, logits and gradients of mixed images, three steps of AdamW with layer decay, and the logits of evaluation.
  @Test(arguments: [[], ["--micro-batch", "2"]]) func fineTuningIsThatOfTheReference(options: [String]) throws {
    let workshop = try Workshop()
    try workshop.compile("finetune_vit", ClassificationTests.golden, options: options)
    let (given, expected) = (try Self.fixture("finetune-vit.in").tensors, try Self.fixture("finetune-vit.out").tensors)
    var input = given.filter { !["lambda", "box", "labels", "partner"].contains($0.key) }
    input["labels"] = expected["targets"]
    let evaluated = try gradients(workshop, input)
    try expect(evaluated, expected.filter { $0.key == "eval.logits" })
    input["images"] = expected["mixed"]
    let trained = try gradients(workshop, input, ["--steps", "3", "--lr", "1e-3"])
    try expect(trained, expected.filter { !["mixed", "targets"].contains($0.key) && !$0.key.hasPrefix("eval.") })
  }

  /// Loss, logits and gradients of a probe on features, and three steps of LARS with their running statistics.
  @Test func probingIsThatOfTheReference() throws {
    let workshop = try Workshop()
    let source = """
      model probe
      let features = input(name: "features", element: f32, shape: [32, 24], from: data("features"))
      input labels: f32[32, 7]
      let centred = batch_norm(features, epsilon: 1e-6, affine: false, name: "head.0")
      let logits = linear(centred, width: 7, initial: normal(0.01), name: "head.1")
      output "logits" = logits
      loss cross_entropy(logits, labels)
      train {
        optimizer: lars
        schedule: cosine(epochs: 90)
      }
      """
    try source.write(toFile: workshop.path("probe.wg"), atomically: true, encoding: .utf8)
    let compiled = try workshop.wamimc([workshop.path("probe.wg"), "-o", workshop.path("train")])
    try #require(compiled.status == 0, "\(compiled.errors)")
    let (given, expected) = (try Self.fixture("probe.in").tensors, try Self.fixture("probe.out").tensors)
    var input = given
    let labels = try #require(given["labels"]).elements
    input["labels"] = Safetensors.Tensor(
      shape: [32, 7], elements: labels.flatMap { label in (0..<7).map { Double($0) == label ? 1 : 0 } })
    let actual = try gradients(workshop, input, ["--steps", "3", "--lr", "0.4"])
    try expect(actual, expected.filter { !$0.key.hasPrefix("eval.") })
    // What was trained is evaluated by its running statistics.
    for (name, tensor) in actual.tensors where name.hasPrefix("lars.head") { input[String(name.dropFirst(5))] = tensor }
    try expect(try gradients(workshop, input), expected.filter { $0.key.hasPrefix("eval.") })
  }

  /// A small Swin whose last grid is smaller than its window.
  private static let swin = [
    "image=32", "patch=2", "window=4", "dim=8", "depths=[1, 2, 2, 1]", "heads=[1, 2, 2, 4]", "classes=5", "batch=3",
  ]

  /// Classifiers that differ in everything that can be set.
  static let models: [(job: String, settings: [String], options: [String])] = [
    ("finetune_vit", golden, []),
    ("finetune_vit", golden + ["pool=token", "batch=1"], []),
    ("finetune_vit", golden + ["pool=token", "positions=fixed", "batch=5"], []),
    ("finetune_vit", golden + ["drop_path=0.0", "classes=2", "batch=3"], []),
    ("finetune_vit", golden + ["classes=37", "batch=6", "layer_decay=1.0"], ["--micro-batch", "2"]),
    ("finetune_vit", golden + ["depth=1", "heads=6", "batch=7"], []),
    ("finetune_vit", golden + ["image=48", "patch=16", "dim=20", "heads=1", "batch=2"], ["--micro-batch", "1"]),
    ("finetune_vit", golden + ["image=24", "dim=192", "depth=2", "classes=100"], []),
    ("probe_vit", ["image=32", "patch=8", "dim=48", "depth=2", "heads=3", "classes=5", "batch=6"], []),
    ("finetune_swin", swin + ["drop_path=0.4", "epsilon=1e-4"], ["--micro-batch", "1"]),
    ("probe_vit", ["image=32", "patch=4", "dim=32", "depth=1", "heads=2", "classes=3", "batch=5", "pool=mean"], []),
    ("wamim_vit_demo", AgreementTests.golden, []),
    ("probe_swin", swin, []),
    // Windows that tile no grid but the last.
    ("finetune_swin", swin + ["window=3", "image=64", "drop_path=0.2", "batch=2", "depths=[2, 2, 2, 1]"], []),
  ]

  @Test(arguments: Array(models.indices).sampled(oneOf: 4)) func classifiersAgreeWithTheInterpreter(index: Int) throws {
    let (job, settings, options) = ClassificationTests.models[index]
    let workshop = try Workshop()
    let path = Workshop.repository.appendingPathComponent("graphs/\(job).wg").path
    let model = try Language.model(contentsOf: path, overrides: settings.map { try Override($0) })
    var generator = SeededGenerator(seed: UInt64(index))
    let sources = model.graph.randomSources(using: &generator)
    let evaluated = model.evaluation ?? model.graph
    let trained = try results(of: model.graph, for: .gradients, sources)
    var expected = try results(of: evaluated, for: .forward, sources)
    if model.evaluation != nil { expected = Dictionary(uniqueKeysWithValues: expected.map { ("eval.\($0)", $1) }) }
    // Running statistics are no outputs.
    expected.merge(trained.filter { !$0.key.hasPrefix("head.0.running") }) { own, _ in own }

    try workshop.compile(job, settings, options: options)
    try workshop.write(sources, of: model.graph, to: "in.safetensors")
    var outputs: [Data] = []
    for threads in ["1", "3"] {
      let result = try workshop.run(
        workshop.path("train"), ["grad", "--input", "in.safetensors", "--output", "out", "--threads", threads])
      try #require(result.status == 0, "\(result.errors)")
      outputs.append(try Data(contentsOf: URL(fileURLWithPath: workshop.path("out"))))
    }
    #expect(outputs[0] == outputs[1])
    let actual = try Safetensors(contentsOf: workshop.path("out"))
    try expect(actual, expected.mapValues { Safetensors.Tensor(shape: $0.shape.dimensions, elements: $0.elements) }, "\(settings)")
  }

  private func results(
    of graph: Graph, for role: ScheduleRole, _ sources: [String: [Double]]
  ) throws -> [String: DenseTensor] {
    try Interpreter(Passes.run(graph, for: role, disabled: Set(Passes.all.map(\.name)))).evaluate(sources).results
  }

  @Test func batchNormCannotBeCut() throws {
    let workshop = try Workshop()
    let path = Workshop.repository.appendingPathComponent("graphs/probe_vit.wg").path
    let result = try workshop.wamimc([path, "--set", "size=tiny", "--micro-batch", "2", "-o", workshop.path("train")])
    #expect(result.status == 1 && result.errors.contains("batch norm"), "\(result.errors)")
  }
}
