import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter

/// A function of parameters whose gradient is compared with finite differences.
struct GradientCase: Sendable, CustomStringConvertible {
  /// The operation whose rule is tried.
  var operation: String
  var variant: String
  /// Builds the function of parameters that `draw` declares, of the shapes it is given.
  var build: @Sendable (GraphBuilder, (Shape) -> Tensor) -> Tensor

  init(_ operation: String, _ variant: String = "", _ build: @escaping @Sendable (GraphBuilder, (Shape) -> Tensor) -> Tensor) {
    (self.operation, self.variant, self.build) = (operation, variant, build)
  }

  var description: String { variant.isEmpty ? operation : "\(operation), \(variant)" }
}

/// Every rule of differentiation against finite differences.
struct GradientRuleTests {
  @Test(arguments: GradientCase.all, [1, 2, 3] as [UInt64]) func agreesWithFiniteDifferences(rule: GradientCase, seed: UInt64)
    throws
  {
    var generator = SeededGenerator(seed: seed)
    let graph = try graph(of: rule)
    let differentiated = try graph.differentiated()
    let interpreter = Interpreter(differentiated.graph)
    var sources = graph.randomSources(using: &generator)
    let evaluation = try interpreter.evaluate(sources)
    for pair in differentiated.gradients {
      let name = try #require(graph[pair.parameter].operation.sourceName)
      let gradient = evaluation[pair.gradient].elements
      let expected = try gradient.indices.map { index in
        let step = 1e-5
        let origin = sources[name, default: []][index]
        defer { sources[name]?[index] = origin }
        sources[name]?[index] = origin + step
        let above = try #require(try Interpreter(graph).evaluate(sources).loss)
        sources[name]?[index] = origin - step
        let below = try #require(try Interpreter(graph).evaluate(sources).loss)
        return (above - below) / (2 * step)
      }
      #expect(relativeError(gradient, expected) < 1e-6, "\(rule), '\(name)', seed \(seed)")
    }
  }

  /// The function of the rule, each element of its result with a weight of its own, as a loss.
  private func graph(of rule: GradientCase) throws -> Graph {
    try Graph("rule") { builder in
      var count = 0
      let result = rule.build(builder) { shape in
        count += 1
        return builder.parameter("p\(count)", shape, .normal(standardDeviation: 1))
      }
      builder.minimize((result * builder.input("weights", result.shape)).total())
    }
  }

  @Test func everyOperationIsTried() {
    let tried = Set(GradientCase.all.map(\.operation))
    let undifferentiable: Set<String> = [
      "input", "parameter", "state", "accumulator", "constant", "position_table", "convert", "rank", "invert_permutation",
      "attention_gradient", "group_attention_gradient", "finer_indices", "window_groups",
    ]
    #expect(Set(OperationSchema.all.map(\.name)).subtracting(undifferentiable) == tried)
  }

  @Test func whatTheLossDoesNotReachHasAGradientOfZeros() throws {
    let graph = try Graph("unreached") { builder in
      let used = builder.parameter("used", [2], .constant(1))
      _ = builder.parameter("unused", [3], .constant(1))
      let stopped = builder.parameter("stopped", [2], .constant(1))
      builder.minimize((used * stopped.detached()).total())
    }
    let evaluation = try Interpreter(try graph.differentiated().withAccumulation())
      .evaluate(["used": [1, 2], "unused": [3, 4, 5], "stopped": [6, 7]])
    #expect(evaluation.updates["grad.used"]?.elements == [6, 7])
    #expect(evaluation.updates["grad.unused"]?.elements == [0, 0, 0])
    #expect(evaluation.updates["grad.stopped"]?.elements == [0, 0])
  }

  @Test func aGraphWithoutALossIsReported() {
    #expect(throws: GraphError.self) { try Graph("none") { _ = $0.parameter("p", [1], .constant(0)) }.differentiated() }
  }
}

/// What the gradients are made of.
struct GradientShapeTests {
  /// The gradient of a weight that all rows share is one product over all rows, in the weight's own layout.
  @Test(arguments: [true, false]) func aSharedWeightTakesOneMatmul(transposed: Bool) throws {
    let graph = try Graph("linear") { builder in
      let weight = builder.parameter("weight", transposed ? [5, 4] : [4, 5], .constant(1))
      builder.minimize(builder.input("x", [2, 3, 4]).matmul(weight, transposeRight: transposed).total())
    }
    let differentiated = try graph.differentiated()
    let gradient = try #require(differentiated.gradients.first)
    let node = differentiated.graph[gradient.gradient]
    #expect(node.operation == .matmul(transposeLeft: true, transposeRight: false))
    #expect(node.operands.map { differentiated.graph[$0].type.shape.rank } == [2, 2])
  }

  /// Slices that tile a value give its gradient by concatenation, not by adding up padded slices.
  @Test func slicesThatTileAreJoined() throws {
    // A decoder's queries would come from fewer rows than its keys.
    let graph = try Passes.run(WaMIMModel().graph(), for: .gradients, disabled: ["hoist-slices", "hoist-invariant-rows"])
    let pads = graph.nodes.filter { if case .pad = $0.operation { true } else { false } }
    #expect(pads.allSatisfy { !$0.scope.contains("attn") })
    let joints = graph.nodes.filter { node in
      if case .concatenate(2) = node.operation { node.operands.count == 3 && node.scope.hasSuffix("qkv") } else { false }
    }
    #expect(joints.count == 8)
  }

  @Test func gapsBetweenSlicesAreZeros() throws {
    let graph = try Graph("gaps") { builder in
      let x = builder.parameter("x", [6], .constant(1))
      builder.minimize((x.sliced(0, 1..<2) * 2).total() + (x.sliced(0, 3..<5) * 3).total())
    }
    let evaluation = try Interpreter(try graph.differentiated().withAccumulation()).evaluate(["x": [1, 2, 3, 4, 5, 6]])
    #expect(evaluation.updates["grad.x"]?.elements == [0, 2, 0, 3, 3, 0])
  }

  @Test func gradientsStandUnderTheScopeOfWhatTheyComeFrom() throws {
    let graph = try WaMIMModel().graph()
    let differentiated = try graph.differentiated()
    let added = differentiated.graph.nodes[graph.nodes.count...]
    let scopes = Set(graph.nodes.map(\.scope))
    #expect(added.allSatisfy { scopes.contains($0.scope) })
    #expect(added.contains { $0.scope == "blocks.3.mlp.fc1" })
  }
}
