import WaMIMGraph

extension Graph {
  /// The names of the parameters that products read, as they are or moved: those that a program keeps rounded as well.
  func parametersReadByProducts() -> Set<String> {
    let reads = RoundedReads(self)
    return Set(
      reads.values.compactMap { value in
        if case .parameter(let name, _, _, _) = self[value].operation { name } else { nil }
      })
  }

  /// The graph in mixed precision: matmuls and attention read bf16, and all else stays float32.
  ///
  /// What products read is rounded where it is computed, and so is what is only kept for it. Products add up in float32; attention leaves its result rounded, as products
  /// read it. The parameters that are named in `copies` have copies in bf16, which are written where parameters are updated.
  func withMixedPrecision(copies: Set<String>) throws -> Graph {
    var mixer = PrecisionMixer(self, copies: copies)
    for value in values { try mixer.rewrite(value) }
    return try mixer.finish()
  }

  /// What rounds the parameters that are named in `copies`, after they were written from outside.
  func roundingParameters(_ copies: Set<String>) throws -> Graph {
    var result = Graph(name: name)
    for value in values {
      guard let name = self[value].operation.sourceName, case .parameter = self[value].operation, copies.contains(name) else {
        continue
      }
      var node = self[value]
      node.region = .update
      let parameter = result.append(node)
      let copy = result.append(try result.node(.roundedCopy(of: node), [], like: node))
      let rounded = result.append(try result.node(.convert(to: .bfloat16), [parameter], like: node))
      result.updates.append(.init(state: copy, value: rounded))
    }
    return result
  }
}

extension Operation {
  /// The state that holds the parameter `node` rounded.
  fileprivate static func roundedCopy(of node: Node) -> Operation {
    let name = node.operation.sourceName ?? ""
    return .state(name: "bf16.\(name)", shape: node.type.shape, role: .rounded(of: name))
  }
}

/// Rebuilds a graph with rounded values beside those that products read.
private struct PrecisionMixer {
  private var rewriter: GraphRewriter
  private let reads: RoundedReads
  private let copies: Set<String>
  /// For each value that is rounded, where it is found so.
  private var rounded: [ValueID: ValueID] = [:]
  /// The copies of parameters so far, by the parameter's name.
  private var states: [String: ValueID] = [:]

  init(_ graph: Graph, copies: Set<String>) {
    rewriter = GraphRewriter(graph)
    reads = RoundedReads(graph)
    self.copies = copies
  }

  mutating func rewrite(_ value: ValueID) throws {
    let node = rewriter.source[value]
    if let moved = try movingRounded(node) {
      rounded[value] = moved
      return rewriter.replace(value, by: try rewriter.append(.convert(to: .float32), [moved], like: node))
    }
    let takesRounded = reads.sumsRounded(value) ? node.operands[...] : node.roundedOperands
    var operands = node.operands.map { takesRounded.contains($0) ? rounded[$0] ?? rewriter[$0] : rewriter[$0] }
    // Rows that are added up in float32 need not be that themselves.
    if case .scatterAdd = node.operation { operands[0] = narrow(operands[0]) ?? operands[0] }
    let result = try rewriter.append(node.operation, operands, like: node)
    if rewriter.result[result].type == node.type {
      rewriter.replace(value, by: result)
    } else {
      // Attention on rounded operands gives a rounded result.
      rounded[value] = result
      rewriter.replace(value, by: try rewriter.append(.convert(to: .float32), [result], like: node))
    }
    if reads.isRoundedForAll(value) {
      let kept = try rewriter.append(.convert(to: .bfloat16), [result], like: node)
      rewriter.replace(value, by: try rewriter.append(.convert(to: .float32), [kept], like: node))
    }
    if reads.values.contains(value), rounded[value] == nil { rounded[value] = try round(value) }
  }

  /// The movement `node` of numbers that are bf16 ones, which moves them before they are widened; nil where it moves others.
  private mutating func movingRounded(_ node: Node) throws -> ValueID? {
    switch node.operation {
    case .reshape, .transpose, .slice, .detach, .concatenate, .pad: break
    default: return nil
    }
    let operands = node.operands.compactMap { narrow(rewriter[$0]) }
    return operands.count == node.operands.count ? try rewriter.append(node.operation, operands, like: node) : nil
  }

  /// The bf16 numbers that `value` of the result is the float32 form of.
  private func narrow(_ value: ValueID) -> ValueID? {
    let node = rewriter.result[value]
    guard case .convert(to: .float32) = node.operation, rewriter.result[node.operands[0]].type.element == .bfloat16 else {
      return nil
    }
    return node.operands[0]
  }

  /// Adds the rounded form of a value that stands in the result already.
  private mutating func round(_ value: ValueID) throws -> ValueID {
    let node = rewriter.source[value]
    if case .parameter(let name, _, _, _) = node.operation, copies.contains(name) { return try copy(of: node, named: name) }
    if reads.isMoved(value) {
      return try rewriter.append(node.operation, node.operands.map { rounded[$0] ?? rewriter[$0] }, like: node)
    }
    return try rewriter.append(.convert(to: .bfloat16), [rewriter[value]], like: node)
  }

  private mutating func copy(of node: Node, named name: String) throws -> ValueID {
    if let state = states[name] { return state }
    let state = try rewriter.append(.roundedCopy(of: node), [], like: node)
    states[name] = state
    return state
  }

  /// The new graph, which also updates the copies of the parameters that it updates.
  mutating func finish() throws -> Graph {
    var updates: [Graph.Update] = []
    for update in rewriter.source.updates {
      let node = rewriter.source[update.state]
      guard case .parameter(let name, _, _, _) = node.operation, copies.contains(name) else { continue }
      let value = try rewriter.append(.convert(to: .bfloat16), [rewriter[update.value]], like: rewriter.source[update.value])
      updates.append(.init(state: try copy(of: node, named: name), value: value))
    }
    var graph = rewriter.finish()
    graph.updates += updates
    return graph
  }
}
