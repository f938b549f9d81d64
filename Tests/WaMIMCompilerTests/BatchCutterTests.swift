import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter

/// Micro-batches, which have to add up to the whole.
struct BatchCutterTests {
  @Test(arguments: WaMIMModel.variety + [WaMIMModel()], [2, 3, 6]) func microBatchesOfModelsAddUp(model: WaMIMModel, count: Int)
    throws
  {
    var model = model
    model.batch = 6
    try expectSum(of: model.graph(), count: count, seed: 21, "\(model) in \(count) micro-batches")
  }

  @Test func randomGraphsAddUpOrAreRefused() throws {
    var refused = 0
    let seeds = 1...400 as ClosedRange<UInt64>
    for seed in seeds {
      let graph = try RandomBatchGraph.draw(seed: seed, batch: 6)
      do {
        _ = try graph.cut(into: 3)
      } catch is CompilationError {
        refused += 1
        continue
      }
      try expectSum(of: graph, count: 3, seed: seed, "random graph of seed \(seed)")
    }
    // Both happen often enough to mean something.
    #expect((seeds.count / 10...seeds.count * 9 / 10).contains(refused), "\(refused) of \(seeds.count)")
  }

  /// What makes a loss besides the mean over samples.
  private static let losses: [(name: String, build: @Sendable (GraphBuilder, Tensor) -> Tensor)] = [
    ("a penalty on parameters", { builder, x in x.total() + (penalized(builder) * penalized(builder)).total() }),
    ("nothing but parameters", { builder, _ in penalized(builder).total() }),
    ("a product over samples", { builder, x in x.reshaped([24, 4]).matmul(x.reshaped([24, 4]), transposeLeft: true).total() }),
    ("a scaled sum", { builder, x in (x.sum([0]) * penalized(builder).sum([0]).reshaped([])).total() / 3 }),
    (
      "tokens that all samples share",
      { builder, x in
        let token = builder.parameter("token", [1, 1, 4], .constant(1)).broadcast(to: [6, 2, 4]) * 2
        return Tensor.concatenated([token.reshaped([12, 4]).reshaped([6, 2, 4]), x], axis: 1, in: builder)
          .applying(.hyperbolicTangent).total()
      }
    ),
  ]

  private static func penalized(_ builder: GraphBuilder) -> Tensor {
    builder.graph.values.first { builder.graph[$0].operation.sourceName == "w" }.map(builder.tensor)
      ?? builder.parameter("w", [4], .constant(2))
  }

  @Test(arguments: losses.indices) func lossesAddUp(index: Int) throws {
    let graph = try Graph("losses") { builder in
      let scale = builder.parameter("scale", [4], .constant(1))
      builder.minimize(
        BatchCutterTests.losses[index].build(builder, builder.input("images", [6, 4, 2, 2]).reshaped([6, 4, 4]) * scale))
    }
    for count in [2, 3, 6] { try expectSum(of: graph, count: count, seed: 3, BatchCutterTests.losses[index].name) }
  }

  /// Losses of which micro-batches know too little.
  private static let mixtures: [(build: @Sendable (GraphBuilder, Tensor) -> Tensor, message: String)] = [
    ({ _, x in (x / x.sum([0])).total() }, "this divide mixes the samples of a batch (in norm)"),
    ({ _, x in x.max([0]).total() }, "this max mixes the samples of a batch (in norm)"),
    ({ _, x in x.total().applying(.squareRoot) }, "this sqrt mixes the samples of a batch (in norm)"),
    ({ _, x in x.sliced(0, 0..<2).total() }, "this slice mixes the samples of a batch (in norm)"),
    ({ _, x in x.reshaped([8, 12]).applying(.exponential).total() }, "this reshape mixes the samples of a batch (in norm)"),
    (
      { builder, x in (x * builder.parameter("each", [6, 1, 1], .constant(1))).total() },
      "this multiply needs f32[6, 1, 1] from the model for each of the 6 samples (in norm)"
    ),
  ]

  @Test(arguments: mixtures.indices) func whatMixesSamplesIsNamed(index: Int) throws {
    let graph = try Graph("mixture") { builder in
      let images = builder.input("images", [6, 4, 2, 2])
      builder.minimize(builder.scoped("norm") { BatchCutterTests.mixtures[index].build(builder, images.reshaped([6, 4, 4])) })
    }
    let error = #expect(throws: CompilationError.self) { try graph.cut(into: 2) }
    #expect(error?.message == "the batch cannot be cut: " + BatchCutterTests.mixtures[index].message)
  }

  @Test func unequalPartsAreRefused() throws {
    #expect(throws: CompilationError.self) { try WaMIMModel().graph().cut(into: 2) }
  }

  /// Compares outputs and gradients of the whole batch with those of its micro-batches, put together.
  private func expectSum(of graph: Graph, count: Int, seed: UInt64, _ name: String) throws {
    var generator = SeededGenerator(seed: seed)
    let sources = graph.randomSources(using: &generator)
    let expected = try results(graph, sources)
    let cut = try graph.cut(into: count)
    #expect(cut.graph.batch * count == graph.batch)
    var sums: [String: [Double]] = [:]
    for index in 0..<count {
      var own = sources
      for case .input(let name, _, _) in graph.nodes.map(\.operation) {
        let elements = sources[name] ?? []
        own[name] = Array(elements[index * elements.count / count..<(index + 1) * elements.count / count])
      }
      for (name, value) in try results(cut.graph, own) {
        switch name.hasPrefix("grad.") ? .sum : cut.combinations[name] {
        case .samples: sums[name, default: []] += value.elements
        case .sum: sums[name] = sums[name].map { zip($0, value.elements).map(+) } ?? value.elements
        case .same: sums[name] = value.elements
        case nil: Issue.record("nothing is said about \(name)")
        }
      }
    }
    #expect(Set(sums.keys) == Set(expected.keys))
    for (key, value) in expected {
      let error = relativeError(sums[key] ?? [], value.elements)
      // Cancelled sums keep rounding errors of their terms.
      let isSmall = value.elements.allSatisfy { abs($0) < 1e-12 }
      #expect(error < 1e-6 || isSmall, "\(key): \(error), \(name)")
    }
  }

  private func results(_ graph: Graph, _ sources: [String: [Double]]) throws -> [String: DenseTensor] {
    let plain = Set(Passes.all.map(\.name))
    let forward = try Interpreter(Passes.run(graph, for: .forward, disabled: plain)).evaluate(sources).results
    return try Interpreter(Passes.run(graph, for: .gradients, disabled: plain)).evaluate(sources).results
      .merging(forward) { $1 }
  }
}
