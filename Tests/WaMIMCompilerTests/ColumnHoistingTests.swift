import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter

/// Columns are sliced before they are moved or computed.
struct ColumnHoistingTests {
  /// The shapes of the results of all operations called `name`, those in `scope` where one is given.
  private func shapes(_ graph: Graph, _ name: String, in scope: String? = nil) -> [Shape] {
    graph.nodes.filter { $0.operation.name == name && (scope == nil || $0.scope == scope) }.map(\.type.shape)
  }

  /// A graph on `x` [3, 5, 8] that `use` adds outputs to.
  private func graph(_ use: (GraphBuilder, Tensor) -> Void) throws -> Graph {
    try Graph("columns") { builder in
      use(builder, builder.parameter("x", [3, 5, 8], .normal(standardDeviation: 1)))
    }
  }

  /// `graph` after the pass, which must not change outputs or gradients.
  private func hoisted(_ graph: Graph) throws -> Graph {
    let hoisted = try graph.after("hoist-columns", "simplify", "common-subexpressions", "dead-code")
    try hoisted.verify()
    try expectSameNumbers(graph, hoisted)
    return hoisted
  }

  private func expectSameNumbers(_ graph: Graph, _ hoisted: Graph, _ name: String = "") throws {
    var generator = SeededGenerator(seed: 3)
    let sources = graph.randomSources(using: &generator)
    let results = try [graph, hoisted].map { graph in
      var graph = graph
      if graph.loss == nil {
        let builder = GraphBuilder(extending: graph)
        let terms = graph.outputs.map { builder.tensor($0.value).applying(.hyperbolicTangent).total() }
        builder.minimize(terms.dropFirst().reduce(terms[0], +))
        graph = try builder.finish()
      }
      return try Interpreter(graph.differentiated().withAccumulation()).evaluate(sources)
    }
    for (output, value) in results[0].outputs {
      #expect(relativeError(results[1].outputs[output]?.elements ?? [], value.elements) < 1e-10, "\(output) \(name)")
    }
    for (state, value) in results[0].updates {
      #expect(relativeError(results[1].updates[state]?.elements ?? [], value.elements) < 1e-10, "\(state) \(name)")
    }
  }

  // MARK: Models

  @Test(arguments: [ScheduleRole.step, .gradients]) func visibleTokensOfADecoderHaveNoQueries(purpose: ScheduleRole) throws {
    let model = try WaMIMModel().graph()
    let scope = "decoders.0.blocks.0.attn.qkv"
    // 16 visible tokens and the class token of each of 3 samples, and 64 positions, of which 48 are hidden.
    let graph = try Passes.run(model, for: purpose)
    #expect(shapes(graph, "matmul", in: scope).prefix(2) == [[3, 17, 64], [64, 96]])
    #expect(shapes(graph, "gather", in: scope).prefix(2) == [[3, 48, 32], [3, 48, 64]])
    #expect(shapes(graph, "concatenate", in: scope).first == [3, 65, 64])
    let plain = try Passes.run(model, for: purpose, disabled: ["hoist-columns"])
    #expect(shapes(plain, "matmul", in: scope).prefix(2) == [[3, 17, 96], [64, 96]])
    #expect(shapes(plain, "gather", in: scope).first == [3, 48, 96])
    #expect(shapes(plain, "concatenate", in: scope).first == [3, 65, 96])
  }

  @Test func noGradientOfVisibleQueriesIsComputed() throws {
    let graph = try Passes.run(WaMIMModel().graph(), for: .step)
    let scope = "decoders.0.blocks.0.attn.qkv"
    let gradients = graph.nodes.filter { $0.operation == .matmul(transposeLeft: true, transposeRight: false) && $0.scope == scope }
    // 51 visible rows give keys and values, 64 positions give queries as well.
    #expect(gradients.map { graph[$0.operands[0]].type.shape } == [[64, 96], [51, 64]])
    #expect(gradients.map(\.type.shape) == [[96, 32], [64, 32]])
  }

  @Test func oneProductComputesQueriesKeysAndValuesOfAnEncoder() throws {
    let model = try WaMIMModel().graph()
    let disabled: Set<String> = ["hoist-columns"]
    for purpose in ScheduleRole.allCases {
      let (graph, plain) = (try Passes.run(model, for: purpose), try Passes.run(model, for: purpose, disabled: disabled))
      let scopes = Set(graph.nodes.map(\.scope)).filter { !$0.hasPrefix("decoders.") }
      for scope in scopes { #expect(shapes(graph, "matmul", in: scope) == shapes(plain, "matmul", in: scope), "\(scope)") }
    }
  }

  // MARK: What is computed

  @Test(arguments: [false, true]) func columnsThatAreSlicedAwayAreNotComputed(transposed: Bool) throws {
    let graph = try graph { builder, x in
      let weight = builder.parameter("w", transposed ? [6, 8] : [8, 6], .normal(standardDeviation: 1))
      let y = (x.matmul(weight, transposeRight: transposed) + builder.parameter("b", [6], .constant(1))).applying(.exponential)
      builder.output("some", y.sliced(2, 1..<3))
      builder.output("sum", y.sum([1]).sliced(2, 2..<4))
    }
    let hoisted = try hoisted(graph)
    #expect(shapes(hoisted, "matmul") == [[3, 5, 3]])
    #expect(shapes(hoisted, "exp") == [[3, 5, 3]])
  }

  @Test func columnsOfTheSameRowsAreOnePieceOfWork() throws {
    let graph = try graph { builder, x in
      let y = x.matmul(builder.parameter("w", [8, 6], .normal(standardDeviation: 1)))
      builder.output("first", y.sliced(2, 0..<2))
      builder.output("last", y.sliced(2, 4..<6))
    }
    #expect(try graph.after("hoist-columns") == graph)
  }

  @Test func whatIsNeededAsAWholeIsComputedAsAWhole() throws {
    let graph = try graph { builder, x in
      let y = x.matmul(builder.parameter("w", [8, 6], .normal(standardDeviation: 1)))
      builder.output("some", y.sliced(2, 0..<2))
      builder.output("norm", (y * y).sum([2]))
      let z = x.applying(.exponential)
      builder.output("every other", z.sliced(2, 0..<8, step: 2))
      builder.output("first", z.sliced(2, 0..<1))
      builder.output("attended", builder.add(.attention(heads: 2), [x, x, x]).sliced(2, 0..<4))
    }
    #expect(try graph.after("hoist-columns") == graph)
  }

  @Test func aProductOfFewRowsKeepsItsWeightWhole() throws {
    let graph = try Graph("rows") { builder in
      let x = builder.input("x", [1, 2, 8])
      builder.output("y", x.matmul(builder.parameter("w", [8, 6], .constant(1))).sliced(2, 0..<2))
    }
    #expect(try graph.after("hoist-columns") == graph)
  }

  // MARK: What is moved

  @Test func onlyColumnsThatAreNeededAreMoved() throws {
    let graph = try graph { builder, x in
      let ranks = builder.add(.rank, [builder.input("noise", [3, 5], from: .random)])
      let moved = Tensor.concatenated([x, x.gathered(ranks)], axis: 1, in: builder).transposed([1, 0, 2]).reshaped([2, 15, 8])
      builder.output("key", moved.sliced(2, 2..<4))
      builder.output("value", moved.sliced(2, 4..<7))
    }
    let hoisted = try hoisted(graph)
    #expect(shapes(hoisted, "gather") == [[3, 5, 5]])
    #expect(shapes(hoisted, "concatenate") == [[3, 10, 5]])
  }

  @Test func columnsThatGoSeparateWaysAreMovedSeparately() throws {
    let graph = try graph { builder, x in
      let ranks = builder.add(.rank, [builder.input("noise", [3, 5], from: .random)])
      let picked = x.gathered(ranks)
      let joined = Tensor.concatenated([x, picked], axis: 1, in: builder)
      builder.output("query", picked.sliced(2, 0..<4))
      builder.output("key", joined.sliced(2, 4..<6))
      builder.output("value", joined.sliced(2, 6..<8))
    }
    let hoisted = try hoisted(graph)
    #expect(shapes(hoisted, "gather") == [[3, 5, 4], [3, 5, 4]])
    #expect(shapes(hoisted, "concatenate") == [[3, 10, 4]])
  }

  @Test(arguments: 1...80 as ClosedRange<UInt64>) func randomGraphsKeepTheirNumbers(seed: UInt64) throws {
    let graph = try RandomColumnGraph.draw(seed: seed)
    let hoisted = try graph.after("hoist-columns")
    try hoisted.verify()
    try expectSameNumbers(graph, hoisted, "seed \(seed)")
  }

  @Test func mostRandomGraphsHaveColumnsToSink() throws {
    let changed = try (1...80 as ClosedRange<UInt64>).filter { seed in
      let graph = try RandomColumnGraph.draw(seed: seed).after("simplify", "dead-code")
      return try graph.after("hoist-columns") != graph
    }
    #expect(changed.count > 40)
  }
}
