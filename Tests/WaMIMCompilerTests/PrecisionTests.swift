import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter

/// What mixed precision makes of graphs.
struct PrecisionTests {
  private static let roles: [ScheduleRole] = [.step, .gradients, .forward]

  /// The graph of a schedule in mixed precision, with copies of all parameters that products read.
  private func mixed(_ graph: Graph, for role: ScheduleRole) throws -> Graph {
    let copies = Set(graph.values.compactMap { graph[$0].operation.sourceName })
    return try Passes.run(graph, for: role, precision: .mixed(copies: copies))
  }

  @Test(arguments: WaMIMModel.variety, roles) func productsReadRoundedNumbersAndNothingElseDoes(
    model: WaMIMModel, role: ScheduleRole
  )
    throws
  {
    let graph = try mixed(try model.graph(), for: role)
    try graph.verify()
    for node in graph.nodes {
      let elements = node.operands.map { graph[$0].type.element }
      switch node.operation {
      case .matmul: #expect(elements == [.bfloat16, .bfloat16] && node.type.element == .float32)
      case .attention, .attentionGradient: #expect(Set(elements) == [.bfloat16] && node.type.element == .bfloat16)
      case .groupAttention, .groupAttentionGradient: #expect(elements.prefix(3).allSatisfy { $0 == .bfloat16 })
      case .unary, .binary, .rank, .waveletAnalysis: #expect(!elements.contains(.bfloat16), "\(node.operation)")
      default: break
      }
    }
    let outputs = graph.results + graph.updates.map(\.state).filter { graph[$0].type.element != .bfloat16 }
    #expect(outputs.allSatisfy { graph[$0].type.element == .float32 })
  }

  /// Losses and gradients are off by no more than what a few hundred roundings to 8 bits make.
  @Test(arguments: WaMIMModel.variety) func numbersStayNear(model: WaMIMModel) throws {
    let graph = try model.graph()
    var generator = SeededGenerator(seed: 3)
    let plain = try Passes.run(graph, for: .gradients)
    var sources = plain.randomSources(using: &generator)
    let expected = try Interpreter(plain).evaluate(sources)
    let rounded = try mixed(graph, for: .gradients)
    for (name, value) in copies(rounded, of: sources) { sources[name] = value }
    let actual = try Interpreter(rounded).evaluate(sources)
    let (loss, reference) = (try #require(actual.loss), try #require(expected.loss))
    #expect(abs(loss - reference) < 0.01 * abs(reference))
    #expect(loss != reference)
    for (name, value) in expected.updates {
      #expect(relativeError(actual.updates[name]?.elements ?? [], value.elements) < 0.1, "\(name)")
    }
  }

  /// Copies hold what their parameters round to, before a step and after it, whatever wrote the parameters.
  @Test func copiesFollowTheirParameters() throws {
    let graph = try WaMIMModel.variety[0].graph()
    var generator = SeededGenerator(seed: 4)
    let step = try mixed(graph, for: .step)
    var sources = step.randomSources(using: &generator)
    let before = copies(step, of: sources)
    #expect(before.count > 10)
    for (name, value) in before { sources[name] = value }
    let updates = try Interpreter(step).evaluate(sources).updates
    for (name, value) in copies(step, of: updates.mapValues(\.elements)) {
      #expect(try #require(updates[name]).elements == value, "\(name)")
    }
    let names = Set(graph.values.compactMap { graph[$0].operation.sourceName })
    let rounding = try Passes.run(graph, for: .round, precision: .mixed(copies: names))
    let rounded = try Interpreter(rounding).evaluate(sources).updates
    for (name, value) in before { #expect(try #require(rounded[name]).elements == value, "\(name)") }
  }

  /// The gradient of a bias sums what the products beside it read, so that nothing keeps it in float32.
  @Test func biasesSumWhatProductsRead() throws {
    let graph = try mixed(try WaMIMModel.variety[0].graph(), for: .step)
    let sums = graph.nodes.filter { node in
      if case .reduce(.sum, let axes) = node.operation { axes == [0, 1] && node.scope.hasSuffix("fc1") } else { false }
    }
    #expect(!sums.isEmpty && sums.allSatisfy { graph[$0.operands[0]].type.element == .bfloat16 })
  }

  /// For each copy in `graph`, what it has to hold beside the parameters in `values`.
  private func copies(_ graph: Graph, of values: [String: [Double]]) -> [String: [Double]] {
    var result: [String: [Double]] = [:]
    for node in graph.nodes {
      guard case .state(let name, _, .rounded(let parameter), _) = node.operation, let value = values[parameter] else { continue }
      result[name] = value.map { Double(BFloat16.rounded(Float($0))) }
    }
    return result
  }
}
