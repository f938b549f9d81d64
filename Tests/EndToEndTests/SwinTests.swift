import Foundation
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter
import WaMIMLanguage

/// Compiled trainers of Swins against the interpreter and the reference.
struct SwinTests {
  private static let model = "wamim_swin_demo"

  /// The settings of the golden cases' models.
  private static let tiny = [
    "image=80", "patch=2", "window=5", "dim=8", "depths=[2, 2, 3, 1]", "heads=[1, 2, 4, 8]", "levels=[1, 2, 3, 4]",
    "decoder_dim=16",
    "batch=3",
  ]
  private static let stage = [
    "image=48", "patch=2", "window=6", "dim=8", "depths=[2, 3, 2, 1]", "heads=[2, 2, 4, 4]", "levels=[1, 2, 3, 4]",
    "decoder_dim=16",
    "batch=3", "tap=stage", "subbands=all", "normalization=token", "ratio=0.6",
  ]

  @Test func theFirstGoldenCaseHolds() throws {
    try AgreementTests.check(golden: "swin-tiny", Self.model, Self.tiny, options: [])
  }

  @Test(arguments: AgreementTests.variants.sampled(oneOf: 3)) func theGoldenCaseHolds(options: [String]) throws {
    try AgreementTests.check(golden: "swin-stage", Self.model, Self.stage, options: options)
  }

  /// Small sizes that the models below differ from.
  private static let small = [
    "dim=4", "depths=[1, 2, 2, 1]", "heads=[1, 2, 2, 4]", "decoder_dim=8", "decoder_heads=2", "levels=[1, 2, 3, 3]",
  ]

  /// Models that differ in everything that can be set.
  static let models: [[String]] = [
    small + ["image=24", "patch=1", "window=3", "batch=2"],
    small + ["image=24", "patch=1", "window=3", "batch=5", "ratio=0.3", "tap=stage"],
    small + ["image=32", "patch=1", "window=4", "batch=1", "ratio=0.9", "depths=[2, 1, 1, 2]"],
    small + ["image=64", "patch=2", "window=4", "batch=3", "levels=[1, 2, 3, 4]", "subbands=all"],
    small + ["image=40", "patch=1", "window=5", "batch=1", "tap=stage", "levels=[1, 2, 3, 3]", "normalization=token"],
    small + ["image=48", "patch=2", "window=6", "batch=2", "levels=[1, 2, 3, 4]", "ratio=0.5", "heads=[4, 4, 8, 16]"],
    small + ["image=56", "patch=1", "window=7", "batch=1", "wavelet=db2"],
    small + [
      "image=64", "patch=2", "window=8", "batch=2", "levels=[4, 3, 2, 1]", "dim=12", "heads=[3, 1, 2, 6]", "decoder_dim=32",
    ],
    // Grids no larger than the window: one group at every stage, or at the last ones.
    small + ["image=16", "patch=1", "window=16", "batch=3", "ratio=0.5", "levels=[1, 2, 3, 3]"],
    small + ["image=32", "patch=1", "window=8", "batch=4", "ratio=0.6", "depths=[2, 2, 2, 2]", "normalization=none"],
    // Everything is visible but one unit, and nothing but one.
    small + ["image=16", "patch=1", "window=2", "batch=7", "ratio=0.25", "levels=[1, 2, 2, 3]"],
    small + ["image=16", "patch=1", "window=4", "batch=3", "ratio=0.75", "tap=stage", "levels=[1, 2, 2, 3]"],
  ]

  @Test(arguments: models.sampled(oneOf: 4)) func gradientsAgreeWithTheInterpreter(settings: [String]) throws {
    try AgreementTests.checkGradients(of: Self.model, settings)
  }

  @Test func gradientsAgreeWithoutAPass() throws {
    try AgreementTests.checkPasses(of: Self.model, Self.small + ["image=24", "patch=1", "window=3", "batch=4"], microBatch: 2)
  }

  /// No mask changes more than numbers: 20 of them, whose windows are empty, full, or something between.
  @Test func everyMaskWillDo() throws {
    let workshop = try Workshop()
    let settings = Self.small + ["image=24", "patch=1", "window=3", "batch=2", "ratio=0.6"]
    let graph = try Language.model(contentsOf: Workshop.model(Self.model), overrides: settings.map { try Override($0) }).graph
    try workshop.compile(Self.model, settings)
    var generator = SeededGenerator(seed: 23)
    var sizes: Set<Int> = []
    for _ in 0..<20 {
      let sources = graph.randomSources(using: &generator)
      try workshop.write(sources, of: graph, to: "in.safetensors")
      for threads in ["1", "2"] {
        let result = try workshop.run(
          workshop.path("train"), ["grad", "--input", "in.safetensors", "--output", "out\(threads)", "--threads", threads])
        try #require(result.status == 0, "\(result.errors)")
      }
      let outputs = try ["out1", "out2"].map { try Data(contentsOf: URL(fileURLWithPath: workshop.path($0))) }
      #expect(outputs[0] == outputs[1])
      try AgreementTests.expect(workshop.path("out1"), agreesWith: AgreementTests.results(graph, sources))
      sizes.formUnion(try Self.windowSizes(graph, sources))
    }
    #expect(sizes.contains(0) && sizes.contains(9) && sizes.count > 4, "\(sizes)")
  }

  /// The numbers of visible tokens that the windows of the first stage have.
  private static func windowSizes(_ graph: Graph, _ sources: [String: [Double]]) throws -> Set<Int> {
    let evaluation = try Interpreter(graph).evaluate(sources)
    var sizes: Set<Int> = []
    for value in graph.values {
      guard case .windowGroups(let cut) = graph[value].operation, cut.grid == 24 else { continue }
      let cells = evaluation[graph[value].operands[0]]
      for sample in 0..<cells.shape[0] {
        let tokens = cells.elements[sample * cells.shape[1]..<(sample + 1) * cells.shape[1]]
        let counts = Dictionary(grouping: tokens.map { cut.window(of: Int($0)) }) { $0 }.values.map(\.count)
        sizes.formUnion(counts)
        if counts.count < cut.windowsPerSide * cut.windowsPerSide { sizes.insert(0) }
      }
    }
    return sizes
  }

  /// A model without a mask, whose stages come line by line.
  @Test(arguments: [[], ["--micro-batch", "1"]]) func allTokensAgreeWithTheInterpreter(options: [String]) throws {
    let source = """
      model all
      input images: f32[2, 3, 24, 24]
      let stages = swin(images, patch: 2, window: 3, dim: 8, depths: [2, 2], heads: [2, 4])
      output "stage.0" = stages[0]
      output "stage.1" = stages[1]
      loss total(layer_norm(stages[1], epsilon: 1e-5, name: "norm") * layer_norm(stages[1], name: "other"))
      """
    let names = try AgreementTests.checkGradients(of: source, options: options, seed: 3, tolerance: 1e-4)
    #expect(names.contains("stage.0") && names.contains("stage.1"))
  }
}
