import Testing
import WaMIMGraph
import WaMIMInterpreter
import WaMIMTraining

/// What a parameter's group says, and what optimisers make of it.
struct OptimizerTests {
  /// What one step makes of a parameter of `shape` in `group`, whose elements are 2 and whose gradients are 3.
  private func step<Rule: Optimizer>(_ rule: Rule.Type, _ shape: Shape, _ group: ParameterGroup) throws -> Double {
    let graph = try Graph("step") { builder in
      let parameter = builder.parameter("p", shape, .constant(0), group: group)
      let gradient = builder.constant(3, shape)
      rule.update([(parameter, gradient)], rate: builder.constant(0.5), in: builder)
    }
    let sources: [String: [Double]] = [
      "p": [Double](repeating: 2, count: shape.count), "optimizer.beta1": [0.9], "optimizer.beta2": [0.95],
      "optimizer.epsilon": [0], "optimizer.weight_decay": [0.1], "optimizer.first_moment_correction": [10],
      "optimizer.second_moment_correction": [20],
    ]
    return try #require(try Interpreter(graph).evaluate(sources).updates["p"]?.elements.first)
  }

  /// A parameter of a shape in a group, and what a step leaves of its 2.
  struct Case: Sendable {
    var shape: Shape
    var group = ParameterGroup()
    var expected: Double
  }

  /// The first step of AdamW goes by the rate, 0.5, against the gradient's sign, after the decay of 0.1 times the rate.
  static let cases: [Case] = [
    Case(shape: [2, 2], expected: 1.4), Case(shape: [4], expected: 1.5),
    Case(shape: [4], group: ParameterGroup(decay: .always), expected: 1.4),
    Case(shape: [2, 2], group: ParameterGroup(decay: .never), expected: 1.5),
    Case(shape: [2, 2], group: ParameterGroup(rateScale: 0.25), expected: 1.85),
    Case(shape: [4], group: ParameterGroup(rateScale: 0.5, decay: .always), expected: 1.7),
  ]

  @Test(arguments: cases) func groupsScaleTheRateAndTheDecay(_ example: Case) throws {
    #expect(abs(try step(AdamW.self, example.shape, example.group) - example.expected) < 1e-6)
  }

  /// A rule without states is an optimiser, too.
  private struct Descent: Optimizer {
    init(in builder: GraphBuilder) {}

    func update(_ parameter: Tensor, named name: String, by gradient: Tensor, at rate: Tensor, decays: Bool) {
      parameter.builder.update(parameter, to: parameter - rate * gradient)
    }
  }

  @Test func anyRuleCanBeAnOptimizer() throws {
    #expect(try step(Descent.self, [2, 2], ParameterGroup()) == 0.5)
    #expect(try step(Descent.self, [3], ParameterGroup(rateScale: 0.5)) == 1.25)
  }

  @Test func statesKnowTheirOwners() throws {
    let graph = try Graph("states") { builder in
      let parameter = builder.parameter("blocks.0.weight", [2], .constant(0))
      AdamW.update([(parameter, parameter)], rate: builder.constant(1), in: builder)
    }
    let roles = graph.nodes.compactMap { node in if case .state(_, _, let role, _) = node.operation { role } else { nil } }
    #expect(roles == [.moment(order: 1, of: "blocks.0.weight"), .moment(order: 2, of: "blocks.0.weight")])
  }
}
