import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter

/// Rows that all samples pick from one table are computed on in the table.
struct InvariantRowHoistingTests {
  /// The shape of the left operand of each matmul under `scope`.
  private func leftShapes(_ graph: Graph, in scope: String) -> [Shape] {
    graph.nodes.compactMap { node in
      if case .matmul = node.operation, node.scope == scope { graph[node.operands[0]].type.shape } else { nil }
    }
  }

  /// The shapes of each matmul under `scope`, as it takes its operands.
  private func products(_ graph: Graph, in scope: String) -> [String] {
    graph.nodes.compactMap { node in
      guard case .matmul = node.operation, node.scope == scope else { return nil }
      return node.operands.map { "\(graph[$0].type.shape)" }.joined(separator: " * ") + " = \(node.type.shape)"
    }
  }

  /// A function of rows of which some are each sample's own and others come from a table.
  private func graph(batch: Int = 3, _ use: (GraphBuilder, Tensor) -> Void) throws -> Graph {
    try Graph("rows") { builder in
      let table = builder.parameter("table", [8, 4], .normal(standardDeviation: 1))
      let own = builder.input("own", [batch, 2, 4])
      let ranks = builder.add(.rank, [builder.input("noise", [batch, 8], from: .random)])
      let picked = table.broadcast(to: [batch, 8, 4]).gathered(ranks.sliced(1, 0..<6))
      use(builder, .concatenated([own, picked], axis: 1, in: builder))
    }
  }

  /// Expects `graph` to mean the same after the pass.
  private func expectSameNumbers(_ graph: Graph, _ hoisted: Graph) throws {
    var generator = SeededGenerator(seed: 3)
    try hoisted.verify()
    let sources = graph.randomSources(using: &generator)
    let (before, after) = (try Interpreter(graph).evaluate(sources), try Interpreter(hoisted).evaluate(sources))
    for (name, value) in before.outputs {
      #expect(relativeError(after.outputs[name]?.elements ?? [], value.elements) < 1e-12, "\(name)")
    }
  }

  @Test func aDecoderNormalizesAndProjectsHiddenTokensOnceForAllSamples() throws {
    let model = WaMIMModel()
    let hoisted = try Passes.run(model.graph(), for: .step)
    let plain = try Passes.run(model.graph(), for: .step, disabled: ["hoist-invariant-rows"])
    let scope = "decoders.0.blocks.0.attn.qkv"
    // 16 visible tokens and the class token of each of 3 samples, and 64 positions; the transposed ones are gradients of weights.
    #expect(leftShapes(plain, in: scope)[0] == [3, 65, 32])
    #expect(leftShapes(hoisted, in: scope).prefix(2) == [[3, 17, 32], [64, 32]])
  }

  /// A table's gradient is the sum over the batch before any weight is multiplied with it: products see its rows once.
  @Test func aDecodersGradientsAreSummedOverTheBatchFirst() throws {
    let model = WaMIMModel()
    let hoisted = try Passes.run(model.graph(), for: .step)
    let plain = try Passes.run(model.graph(), for: .step, disabled: ["hoist-invariant-rows"])
    let scope = "decoders.0.blocks.0.attn.qkv"
    #expect(
      products(plain, in: scope) == [
        "[3, 65, 32] * [96, 32] = [3, 65, 96]",
        "[3, 65, 96] * [96, 32] = [3, 65, 32]",
        "[195, 96] * [195, 32] = [96, 32]",
      ])
    #expect(
      products(hoisted, in: scope).sorted()
        == [
          // The table's rows: forwards, their gradient, and their share of the weight's gradient.
          "[64, 32] * [96, 32] = [64, 96]",
          "[64, 96] * [96, 32] = [64, 32]",
          "[64, 96] * [64, 32] = [96, 32]",
          // The keys and values of each sample's visible tokens.
          "[3, 17, 32] * [64, 32] = [3, 17, 64]",
          "[3, 17, 64] * [64, 32] = [3, 17, 32]",
          "[51, 64] * [51, 32] = [64, 32]",
        ].sorted())
  }

  @Test func theTableIsComputedOnAndTheRestIsNot() throws {
    let graph = try graph { builder, rows in
      let weight = builder.parameter("w", [4, 5], .constant(1))
      let y = (rows.matmul(weight).applying(.hyperbolicTangent) * 2 + builder.parameter("b", [5], .constant(1)))
      builder.output("y", y - y.mean([2]).broadcast(to: y.shape))
    }
    let hoisted = try graph.after("hoist-invariant-rows", "dead-code")
    #expect(leftShapes(hoisted, in: "") == [[3, 2, 4], [8, 4]])
    try expectSameNumbers(graph, hoisted)
  }

  @Test func rowsAreWholeWhereTheyMix() throws {
    let graph = try graph { builder, rows in
      let y = rows.applying(.exponential)
      builder.output("attended", builder.add(.attention(heads: 2), [y, y, y * 2]))
      builder.output("sum", y.sum([1]))
    }
    let hoisted = try graph.after("hoist-invariant-rows", "common-subexpressions", "dead-code")
    try expectSameNumbers(graph, hoisted)
    let exponentials = hoisted.nodes.filter { $0.operation == .unary(.exponential) }.map(\.type.shape)
    #expect(exponentials == [[3, 2, 4], [8, 4]])
  }

  @Test func aTableWithMoreRowsThanAllSamplesPickIsLeftAlone() throws {
    let graph = try graph(batch: 1) { builder, rows in builder.output("y", rows.applying(.exponential)) }
    #expect(try graph.after("hoist-invariant-rows") == graph)
  }
}
