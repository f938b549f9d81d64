import WaMIMGraph
import WaMIMManifest

/// Rebuilds a graph for a micro-batch.
struct BatchCutter {
  private let source: Graph
  private let batch: Int
  private let microBatches: Int
  private var rewriter: GraphRewriter
  /// What each value so far has to do with samples.
  private var roles: [SampleRole] = []
  /// Shared values that are repeated along an axis, with fewer repetitions.
  private var shortened: [Shortened: ValueID] = [:]

  private struct Shortened: Hashable {
    var value: ValueID
    var axis: Int
  }

  init(_ source: Graph, microBatches: Int) {
    self.source = source
    self.microBatches = microBatches
    batch = source.batch
    rewriter = GraphRewriter(source)
  }

  /// Gives `value`, whose operands have been cut, its counterpart in the new graph.
  mutating func cut(_ value: ValueID) throws {
    let node = source[value]
    if case .input(let name, let type, let binding) = node.operation, let axis = binding.sampleAxis {
      guard type.shape.rank > axis, type.shape[axis] == batch else {
        throw refusal("the input '\(name)' \(type) has no row for each of the \(batch) samples", node)
      }
      roles.append(.samples(axis: axis))
      let fewer = Operation.input(name: name, type: TensorType(type.element, shortened(type.shape, axis)), binding: binding)
      return rewriter.replace(value, by: try rewriter.append(fewer, [], like: node))
    }
    let given = node.operands.map { roles[$0.index] }
    guard given.contains(where: { $0 != .shared }) else {
      roles.append(.shared)
      return rewriter.copy(value)
    }
    let rule = try SampleRule(node, given, shapes: node.operands.map { source[$0].type.shape }, batch: batch)
      .unwrapped(orElse: refusal("this \(node.operation.name) mixes the samples of a batch", node))
    let operands = try zip(node.operands, rule.operands).map { try operand($0, as: $1, of: node) }
    roles.append(rule.result)
    rewriter.replace(value, by: try rewriter.append(resized(node, rule.result), operands, like: node))
  }

  /// The new graph, and what its outputs are.
  mutating func finish() throws -> CutGraph {
    if let loss = source.loss {
      let node = source[loss]
      rewriter.replace(loss, by: try operand(loss, as: .sum, of: node))
      roles[loss.index] = .sum
    }
    var combinations: [String: Manifest.Combination] = [:]
    for output in source.outputs {
      switch roles[output.value.index] {
      case .shared: combinations[output.name] = .same
      case .sum: combinations[output.name] = .sum
      case .samples(axis: 0): combinations[output.name] = .samples
      case .samples:
        throw refusal("the samples of the output '\(output.name)' are not along its first axis", source[output.value])
      }
    }
    return CutGraph(graph: rewriter.finish(), combinations: combinations)
  }

  private func refusal(_ reason: String, _ node: Node) -> CompilationError {
    let layer = node.scope.isEmpty ? "" : " (in \(node.scope))"
    return CompilationError("the batch cannot be cut: \(reason)\(layer)", at: node.location)
  }

  // MARK: Operands

  /// The counterpart of an operand of `node` that is to have `role`.
  private mutating func operand(_ value: ValueID, as role: SampleRole, of node: Node) throws -> ValueID {
    switch (roles[value.index], role) {
    case (let given, let wanted) where given == wanted: return rewriter[value]
    case (.shared, .samples(let axis)): return try repeated(value, axis, of: node)
    // What all micro-batches have alike counts once in what they add up to.
    case (.shared, .sum):
      let shape = source[value].type.shape
      let share = try rewriter.append(.constant(value: 1 / Float(microBatches), shape: shape), [], like: node)
      return try rewriter.append(.binary(.multiply), [rewriter[value], share], like: node)
    default: throw refusal("this \(node.operation.name) mixes the samples of a batch", node)
    }
  }

  /// `value`, which is the same for all samples, with as many repetitions along `axis` as a micro-batch has samples.
  private mutating func repeated(_ value: ValueID, _ axis: Int, of user: Node) throws -> ValueID {
    if let known = shortened[Shortened(value: value, axis: axis)] { return known }
    let node = source[value]
    guard node.type.shape[axis].isMultiple(of: batch),
      let axes = RepeatedAxes(node, axis, shapes: node.operands.map { source[$0].type.shape }, batch: batch)
    else { throw refusal("this \(user.operation.name) needs \(node.type) from the model for each of the \(batch) samples", user) }
    var operands: [ValueID] = []
    for (operand, own) in zip(node.operands, axes.operands) {
      operands.append(try own.map { try repeated(operand, $0, of: user) } ?? rewriter[operand])
    }
    let result = try rewriter.append(resized(node, .samples(axis: axis)), operands, like: node)
    shortened[Shortened(value: value, axis: axis)] = result
    return result
  }

  // MARK: Shapes

  private func shortened(_ shape: Shape, _ axis: Int) -> Shape {
    var shape = shape
    shape[axis] /= microBatches
    return shape
  }

  /// The operation of `node` with what it says about shapes as fits a result of `role`.
  private func resized(_ node: Node, _ role: SampleRole) -> Operation {
    guard case .samples(let axis) = role else { return node.operation }
    switch node.operation {
    case .broadcast: return .broadcast(shape: shortened(node.type.shape, axis))
    case .reshape: return .reshape(shape: shortened(node.type.shape, axis))
    case .constant(let value, _): return .constant(value: value, shape: shortened(node.type.shape, axis))
    default: return node.operation
    }
  }
}

extension Optional {
  /// The value, or else `error` thrown.
  fileprivate func unwrapped(orElse error: @autoclosure () -> some Error) throws -> Wrapped {
    guard let self else { throw error() }
    return self
  }
}
