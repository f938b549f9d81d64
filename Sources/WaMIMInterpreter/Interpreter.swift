import WaMIMGraph

/// Evaluates graphs in double precision, as plainly as can be: what every operation means.
public struct Interpreter: Sendable {
  public var graph: Graph

  public init(_ graph: Graph) {
    self.graph = graph
  }

  /// Every value of the graph, given those of its inputs, parameters and states by name; a state or accumulator that is not given is
  /// zero.
  ///
  /// - Throws: `GraphError` where a value is missing or of the wrong size, or where an index points outside its rows.
  public func evaluate(_ sources: [String: [Double]]) throws -> Evaluation {
    var values: [DenseTensor] = []
    values.reserveCapacity(graph.nodes.count)
    for node in graph.nodes {
      let operands = node.operands.map { values[$0.index] }
      do {
        let elements = try elements(node.operation, operands, type: node.type, sources: sources)
        values.append(DenseTensor(node.type.shape, elements))
      } catch var error as GraphError {
        error.location = error.location ?? node.location
        throw error
      }
    }
    return Evaluation(graph: graph, values: values)
  }
}

/// What the values of a graph came out as.
public struct Evaluation: Sendable {
  public let graph: Graph
  /// The values, in the graph's order.
  public let values: [DenseTensor]

  public subscript(value: ValueID) -> DenseTensor { values[value.index] }

  /// The value of the output called `name`, or nil where there is none.
  public subscript(name: String) -> DenseTensor? {
    graph.outputs.first { $0.name == name }.map { self[$0.value] }
  }

  /// The loss, or nil where the graph has none.
  public var loss: Double? { graph.loss.map { self[$0].elements[0] } }

  /// The named outputs.
  public var outputs: [String: DenseTensor] {
    Dictionary(graph.outputs.map { ($0.name, self[$0.value]) }) { _, last in last }
  }

  /// What the parameters and states that are updated hold after the step, by name.
  public var updates: [String: DenseTensor] {
    let named = graph.updates.compactMap { update in
      graph[update.state].operation.sourceName.map { ($0, self[update.value]) }
    }
    return Dictionary(named) { _, last in last }
  }
}

extension Interpreter {
  /// The elements of an operation's result, which is of `type`.
  private func elements(
    _ operation: Operation, _ operands: [DenseTensor], type: TensorType, sources: [String: [Double]]
  ) throws -> [Double] {
    switch operation {
    case .input(let name, _, _), .parameter(let name, _, _, _):
      guard let given = sources[name] else { throw GraphError("'\(name)' has no value") }
      return try sized(given, name, type)
    case .state(let name, _, _, let start):
      return try sized(sources[name] ?? [Double](repeating: Double(start), count: type.shape.count), name, type)
    case .accumulator(let name, _): return try sized(sources[name] ?? zeros(type.shape), name, type)
    case .constant(let value, _): return [Double](repeating: Double(value), count: type.shape.count)
    case .positionTable(let width, let grid, let classToken): return positionTable(width: width, grid: grid, classToken: classToken)
    case .unary(let function): return operands[0].elements.map(function.callAsFunction)
    case .binary(let function): return zip(operands[0].elements, operands[1].elements).map(function.callAsFunction)
    case .convert: return rounded(operands[0].elements, to: type)
    case .detach, .reshape: return operands[0].elements
    case .broadcast(let shape): return broadcast(operands[0], to: shape)
    case .transpose(let permutation): return transpose(operands[0], permutation)
    case .slice(let axis, let start, let count, let step): return slice(operands[0], axis, start, count, step)
    case .pad(let axis, let start, let extent, let step): return pad(operands[0], axis, start, extent, step)
    case .concatenate(let axis): return concatenate(operands, axis)
    case .reduce(.sum, let axes): return reduce(operands[0], axes, from: 0, +)
    case .reduce(.maximum, let axes): return reduce(operands[0], axes, from: -.infinity) { $0 >= $1 ? $0 : $1 }
    case .matmul(let transposeLeft, let transposeRight): return matmul(operands[0], operands[1], transposeLeft, transposeRight)
    case .attention(let heads):
      return rounded(AttentionProblem(operands[0], operands[1], operands[2], heads: heads).result(), to: type)
    case .attentionGradient(let heads, let operand):
      let problem = AttentionProblem(operands[0], operands[1], operands[2], heads: heads)
      return rounded(problem.gradient(of: operand, from: operands[3]), to: type)
    case .groupAttention(let heads): return rounded(try GroupAttentionProblem(operands, heads: heads).result(), to: type)
    case .groupAttentionGradient(let heads, let operand):
      return rounded(try GroupAttentionProblem(operands, heads: heads).gradient(of: operand, from: operands[5]), to: type)
    case .gather: return try gather(operands[0], operands[1])
    case .scatterAdd(let rows): return try scatterAdd(operands[0], operands[1], rows: rows)
    case .rank: return rank(operands[0])
    case .invertPermutation: return try invertPermutation(operands[0])
    case .finerIndices(let grid, let side): return try finerIndices(operands[0], grid: grid, side: side)
    case .windowGroups(let cut): return try windowGroups(operands[0], cut)
    case .waveletAnalysis(let wavelet): return WaveletLevel(wavelet).bands(of: operands[0])
    case .waveletAdjoint(let wavelet): return WaveletLevel(wavelet).pixels(of: operands[0])
    }
  }

  private func sized(_ elements: [Double], _ name: String, _ type: TensorType) throws -> [Double] {
    guard elements.count == type.shape.count else {
      throw GraphError("'\(name)' is \(type), but \(elements.count) numbers are given for it")
    }
    return elements
  }
}

/// The numbers as a tensor of `type` holds them: those of bf16 are rounded.
private func rounded(_ elements: [Double], to type: TensorType) -> [Double] {
  type.element == .bfloat16 ? elements.map { Double(BFloat16.rounded(Float($0))) } : elements
}

/// As many zeros as `shape` has elements.
func zeros(_ shape: Shape) -> [Double] {
  [Double](repeating: 0, count: shape.count)
}
