import WaMIMGraph

extension Graph {
  /// The graph with cheap values of the forward pass computed again where the backward pass needs them, instead of being kept.
  ///
  /// Which values are kept is what `StoragePlan` says; what is computed again belongs to the backward pass.
  func withRecomputation() -> Graph {
    let plan = StoragePlan(self)
    var recomputer = Recomputer(rewriter: GraphRewriter(self), plan: plan)
    for value in values { recomputer.rewrite(value) }
    return recomputer.rewriter.finish()
  }

  /// The values of the forward pass that are used after it, without sources and views of sources: what a step keeps.
  package var storedForBackward: [ValueID] {
    let persistent = persistentValues()
    return StoragePlan.needed(in: self).filter { !persistent[$0.index] }.sorted()
  }

  /// Whether each value needs no memory of its own because it is a source or a view of one.
  fileprivate func persistentValues() -> [Bool] {
    var persistent: [Bool] = []
    for node in nodes {
      persistent.append(node.operation.isSource || (node.operation.isMovement && persistent[node.operands[0].index]))
    }
    return persistent
  }

  /// Whether each value is a copy of a source's elements in another order, as no view of the source shows them so.
  fileprivate func copiesOfSources() -> [Bool] {
    var views: [View?] = []
    var copies: [Bool] = []
    for value in values {
      let node = self[value]
      let source = node.operands.first.flatMap { views[$0.index] }
      let view: View? =
        switch node.operation {
        case _ where node.operation.isSource: View(whole: value, shape: node.type.shape)
        case .reshape(let shape): source?.reshaped(shape)
        case .transpose(let permutation): source?.transposed(permutation)
        case .slice(let axis, let start, let count, let step): source?.sliced(axis: axis, start: start, count: count, step: step)
        case .broadcast(let shape): source?.broadcast(to: shape)
        case .detach: source
        default: nil
        }
      copies.append(node.operation.isMovement && source != nil && view == nil)
      views.append(view)
    }
    return copies
  }

  /// The values of which `atLeast` tells where they attain the maximum of their elements, as the gradient of a maximum asks for.
  fileprivate func valuesComparedWithMaximum() -> Set<ValueID> {
    func reinterpreted(_ value: ValueID) -> ValueID {
      self[value].operation.isReinterpretation ? reinterpreted(self[value].operands[0]) : value
    }
    var compared: Set<ValueID> = []
    for node in nodes where node.operation == .binary(.atLeast) {
      let (value, bound) = (reinterpreted(node.operands[0]), reinterpreted(node.operands[1]))
      guard case .reduce(.maximum, _) = self[bound].operation, reinterpreted(self[bound].operands[0]) == value else { continue }
      compared.insert(value)
    }
    return compared
  }

  /// The bytes that each value takes up in memory; what only reinterprets another value takes up as much as that.
  fileprivate func storageSizes() -> [Int] {
    var sizes: [Int] = []
    for node in nodes {
      sizes.append(node.operation.isReinterpretation ? sizes[node.operands[0].index] : node.type.byteCount)
    }
    return sizes
  }
}

/// Rebuilds a graph with copies of recomputed values in its backward pass.
private struct Recomputer {
  var rewriter: GraphRewriter
  let plan: StoragePlan
  /// The copies so far, by the layer that uses them.
  private var copies: [String: [ValueID: ValueID]] = [:]

  init(rewriter: GraphRewriter, plan: StoragePlan) {
    self.rewriter = rewriter
    self.plan = plan
  }

  mutating func rewrite(_ value: ValueID) {
    var node = rewriter.source[value]
    guard node.region != .forward else { return rewriter.copy(value) }
    let layer = node.scope.layer
    node.operands = node.operands.map { counterpart(of: $0, in: layer) }
    rewriter.replace(value, by: rewriter.append(node))
  }

  /// Where `value` is found by the backward pass of `layer`: its copy there if it is computed again.
  private mutating func counterpart(of value: ValueID, in layer: String) -> ValueID {
    var missing: Set<ValueID> = []
    var pending = [value]
    while let next = pending.popLast() {
      guard plan.recomputed.contains(next), copies[layer]?[next] == nil, missing.insert(next).inserted else { continue }
      pending += rewriter.source[next].operands
    }
    for value in missing.sorted() {
      var node = rewriter.source[value]
      node.region = .backward
      node.operands = node.operands.map { copies[layer]?[$0] ?? rewriter[$0] }
      copies[layer, default: [:]][value] = rewriter.append(node)
    }
    return copies[layer]?[value] ?? rewriter[value]
  }
}

extension String {
  /// The layer that a scope belongs to, such as `blocks.3`: copies are shared within it, but not kept beyond it.
  fileprivate var layer: String {
    split(separator: ".").prefix(2).joined(separator: ".")
  }
}

/// Which values of the forward pass are kept for the backward pass, and which are computed again from those.
struct StoragePlan {
  /// The values that the backward pass finds where the forward pass left them.
  private(set) var stored: Set<ValueID>
  /// The values that the backward pass computes again.
  private(set) var recomputed: Set<ValueID> = []

  private let graph: Graph
  private let users: [[ValueID]]
  private let roots: Set<ValueID>
  private let persistent: [Bool]
  private let sizes: [Int]
  /// Which values are copies of sources in another order.
  private let copies: [Bool]
  /// The values that are compared with their own maximum.
  private let compared: Set<ValueID>

  /// Decides for each value that the backward pass of `graph` needs, from the last to the first.
  ///
  /// A cheap value is computed again where that does not need more memory for its operands than it frees. Operands that are
  /// kept anyway, sources, and operands much smaller than the value count for nothing; sources in another order count, as they have to
  /// be written out. What is compared with its own maximum is kept: computed beside other things, it may differ in the last bit, and
  /// would nowhere be equal.
  init(_ graph: Graph) {
    self.graph = graph
    users = graph.users()
    roots = Set(graph.roots)
    persistent = graph.persistentValues()
    sizes = graph.storageSizes()
    copies = graph.copiesOfSources()
    compared = graph.valuesComparedWithMaximum()
    stored = StoragePlan.needed(in: graph)
    for value in graph.values.reversed() where graph[value].region == .forward && stored.contains(value) { decide(value) }
  }

  /// The values of the forward pass that others use; sources are there anyway.
  static func needed(in graph: Graph) -> Set<ValueID> {
    var needed: Set<ValueID> = []
    for node in graph.nodes where node.region != .forward {
      for operand in node.operands where graph[operand].region == .forward && !graph[operand].operation.isSource {
        needed.insert(operand)
      }
    }
    return needed
  }

  private mutating func decide(_ value: ValueID) {
    let node = graph[value]
    guard node.operation.isCheap, !roots.contains(value), !compared.contains(value) else { return }
    let freed = freed(by: value)
    let operands = Set(node.operands)
    let cost = operands.reduce(0) { $0 + self.cost($1, negligible: freed / 16, lookahead: StoragePlan.lookahead) }
    let isBetter = cost < freed || (cost == freed && operands.allSatisfy { isFree($0) || size($0) <= freed / 16 || isShared($0) })
    guard isBetter || node.operation.isReinterpretation else { return }
    stored.remove(value)
    recomputed.insert(value)
    for operand in operands where !graph[operand].operation.isSource { stored.insert(operand) }
  }

  /// How many operations back the search for something that is kept anyway goes.
  private static let lookahead = 8

  /// The memory that it takes to have `value` in the backward pass, at most its own size; what is `negligible` counts for nothing.
  private func cost(_ value: ValueID, negligible: Int, lookahead: Int) -> Int {
    let size = size(value)
    if copies[value.index] && !stored.contains(value) { return size }
    if isFree(value) || size <= negligible { return 0 }
    guard lookahead > 0, graph[value].operation.isCheap else { return size }
    return min(size, Set(graph[value].operands).reduce(0) { $0 + cost($1, negligible: negligible, lookahead: lookahead - 1) })
  }

  /// Whether the backward pass has `value` anyway.
  private func isFree(_ value: ValueID) -> Bool {
    stored.contains(value) || roots.contains(value) || persistent[value.index]
  }

  /// The memory that computing `value` again frees; slices of one value free what they take up together.
  private func freed(by value: ValueID) -> Int {
    let node = graph[value]
    guard case .slice = node.operation else { return size(value) }
    let siblings = users[node.operands[0].index].filter { sibling in
      if case .slice = graph[sibling].operation { stored.contains(sibling) } else { false }
    }
    return siblings.reduce(0) { $0 + size($1) }
  }

  /// Whether keeping `value`, instead of something of the same size computed from it, may be of use to others as well.
  ///
  /// Nothing is won by keeping a product in order to add its bias again.
  private func isShared(_ value: ValueID) -> Bool {
    Set(users[value.index]).count > 1
  }

  /// The bytes that `value` takes up in memory.
  private func size(_ value: ValueID) -> Int { sizes[value.index] }
}

extension Operation {
  /// Whether computing the result again costs little more than reading it.
  fileprivate var isCheap: Bool {
    switch self {
    case .unary, .binary, .convert, .detach, .broadcast, .reshape, .transpose, .slice, .gather: true
    case .input, .parameter, .state, .accumulator, .constant, .positionTable, .pad, .concatenate, .reduce, .matmul, .attention,
      .attentionGradient, .groupAttention, .groupAttentionGradient, .scatterAdd, .rank, .invertPermutation, .finerIndices,
      .windowGroups,
      .waveletAnalysis, .waveletAdjoint:
      false
    }
  }

  /// Whether the result is the operand's elements in the operand's order, each once or several times.
  fileprivate var isReinterpretation: Bool {
    switch self {
    case .broadcast, .reshape, .detach: true
    default: false
    }
  }
}
