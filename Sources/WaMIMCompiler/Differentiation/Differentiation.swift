import WaMIMGraph
import WaMIMTraining

/// A graph that also computes the gradient of its loss for each parameter.
public struct DifferentiatedGraph: Sendable {
  /// A parameter and the gradient of the loss for it, of the same shape.
  public struct Gradient: Hashable, Sendable {
    public var parameter: ValueID
    public var gradient: ValueID
  }

  public var graph: Graph
  /// The gradients, in the order of the parameters.
  public var gradients: [Gradient]

  /// The graph with each gradient added to an accumulator, `grad.NAME`.
  public func withAccumulation() throws -> Graph {
    let builder = GraphBuilder(extending: graph)
    builder.region = .update
    for pair in gradients {
      guard let accumulator = builder.accumulator(ofParameter: pair.parameter) else { continue }
      builder.beside(graph[pair.parameter]) { builder.update(accumulator, to: builder.tensor(pair.gradient) + accumulator) }
    }
    return try builder.finish()
  }

  /// The graph with each parameter updated by `rule`, and the scheduled learning rate as the output `learning_rate`.
  public func with(_ rule: UpdateRule) throws -> Graph {
    let builder = GraphBuilder(extending: graph)
    builder.region = .update
    builder.add(
      rule, gradients.map { (parameter: builder.tensor($0.parameter), gradient: builder.tensor($0.gradient)) })
    return try builder.finish()
  }
}

extension Graph {
  /// What is left of a step when the gradients of its rounds have been added up: each parameter updated by the mean over the
  /// step's batches, and each accumulator back at zero.
  public func updateFromAccumulators(by rule: UpdateRule) throws -> Graph {
    var start = Graph(name: name)
    let sources = learnedParameters.map { (node: self[$0], value: start.append(self[$0])) }
    let builder = GraphBuilder(extending: start)
    builder.region = .update
    let share = builder.hyperparameter("batch_share")
    let accumulators = sources.compactMap { builder.accumulator(ofParameter: $0.value) }
    builder.add(
      rule,
      zip(sources, accumulators).map { source, accumulator in
        (parameter: builder.tensor(source.value), gradient: builder.beside(source.node) { accumulator * share })
      })
    for (source, accumulator) in zip(sources, accumulators) {
      builder.beside(source.node) { builder.update(accumulator, to: builder.constant(0, accumulator.shape)) }
    }
    return try builder.finish()
  }
}

extension GraphBuilder {
  /// Where the gradient for a parameter adds up.
  fileprivate func accumulator(ofParameter parameter: ValueID) -> Tensor? {
    let node = graph[parameter]
    return node.operation.sourceName.map { name in
      beside(node) { add(.accumulator(name: "grad.\(name)", shape: node.type.shape)) }
    }
  }

  /// Adds the optimiser's update of each parameter at the scheduled learning rate, which becomes an output.
  fileprivate func add(_ rule: UpdateRule, _ gradients: [(parameter: Tensor, gradient: Tensor)]) {
    let rate = rule.schedule.learningRate(in: self)
    let gradients = rule.clips ? clipped(gradients) : gradients
    rule.optimizer.update(gradients, rate: rate, decaysByLayer: rule.decaysByLayer, in: self)
    output("learning_rate", rate)
  }
}

extension Graph {
  /// The graph followed by the reverse-mode gradient of its loss for each parameter that is not frozen.
  ///
  /// A parameter that the loss does not depend on has a gradient of zeros.
  /// - Throws: `GraphError` where there is no loss, or where an operation on the way to it cannot be differentiated.
  public func differentiated() throws -> DifferentiatedGraph {
    guard let loss else {
      throw GraphError("the model '\(name)' has no loss to differentiate: say what to minimise")
    }
    let builder = GraphBuilder(extending: self)
    builder.region = .backward
    var adjoints = Adjoints(of: self, builder: builder)
    adjoints.seed(loss)
    for value in values.reversed() where value <= loss { try adjoints.propagate(through: value) }
    let gradients = learnedParameters.map { parameter in
      let node = self[parameter]
      let gradient = adjoints[parameter] ?? builder.beside(node) { builder.constant(0, node.type.shape) }
      return DifferentiatedGraph.Gradient(parameter: parameter, gradient: gradient.value)
    }
    return DifferentiatedGraph(graph: try builder.finish(), gradients: gradients)
  }

  /// The parameters that steps change, in order.
  public var learnedParameters: [ValueID] {
    values.filter { self[$0].operation.isLearned }
  }
}

extension Operation {
  /// Whether the operation is a parameter that steps change.
  fileprivate var isLearned: Bool {
    if case .parameter(_, _, _, let group) = self { !group.isFrozen } else { false }
  }
}

/// The gradients of the loss for values, gathered from the loss backwards.
private struct Adjoints {
  private let graph: Graph
  private let builder: GraphBuilder
  /// Whether each value depends on a parameter in a way that gradients can flow along.
  private let isLearned: [Bool]
  /// What each value's users so far say about its gradient.
  private var contributions: [[Tensor]]
  /// The gradients of the values that are done with.
  private var gradients: [ValueID: Tensor] = [:]

  init(of graph: Graph, builder: GraphBuilder) {
    self.graph = graph
    self.builder = builder
    var isLearned: [Bool] = []
    for node in graph.nodes {
      if node.operation.isLearned {
        isLearned.append(true)
      } else {
        isLearned.append(node.operands.indices.contains { node.passesGradient(to: $0) && isLearned[node.operands[$0].index] })
      }
    }
    self.isLearned = isLearned
    contributions = Array(repeating: [], count: graph.nodes.count)
  }

  subscript(value: ValueID) -> Tensor? { gradients[value] }

  /// Starts with the gradient of `loss` for itself.
  mutating func seed(_ loss: ValueID) {
    guard isLearned[loss.index] else { return }
    contributions[loss.index] = [builder.beside(graph[loss]) { builder.constant(1, graph[loss].type.shape) }]
  }

  /// Completes the gradient of `value` and hands its operands their share.
  mutating func propagate(through value: ValueID) throws {
    let node = graph[value]
    guard !contributions[value.index].isEmpty else { return }
    let gradient = builder.beside(node) { sum(of: contributions[value.index], in: builder) }
    contributions[value.index] = []
    gradients[value] = gradient
    let operands = node.operands.map(builder.tensor)
    for (index, operand) in node.operands.enumerated() where isLearned[operand.index] && node.passesGradient(to: index) {
      let rule = GradientRule(node: node, operands: operands, result: builder.tensor(value), gradient: gradient)
      contributions[operand.index].append(try builder.beside(node) { try rule.contribution(to: index) })
    }
  }
}
