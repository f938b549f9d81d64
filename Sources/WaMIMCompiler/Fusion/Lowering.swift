import WaMIMGraph

/// Turns a graph into calls of kernels.
struct Lowering {
  let graph: Graph
  let storage: Storage
  let clustering: Clustering
  let stored: StoredValues
  /// For each computed value, the movements that only look at it in another way.
  let views: [ValueID: [ValueID]]
  private let fuses: Bool
  private let backend: any Backend

  /// Prepares to lower `graph`.
  ///
  /// - Parameters:
  ///   - updatesInPlace: Whether new values of states are computed over the old ones.
  ///   - fuses: Whether values share kernels.
  ///   - consumed: The weights' gradients that updates may follow in the same kernel.
  ///   - backend: What says how each kernel is carried out.
  init(
    _ graph: Graph, updatesInPlace: Bool, fuses: Bool = true, consumed: Set<ValueID> = [], backend: any Backend
  ) {
    self.graph = graph
    self.fuses = fuses
    self.backend = backend
    storage = Storage(graph, updatesInPlace: updatesInPlace, separatesSubbands: fuses)
    let clustering = Clustering(graph, storage, isEnabled: fuses, consumed: consumed)
    self.clustering = clustering
    stored = StoredValues(graph, storage, clustering)
    let looking = graph.values.filter { clustering.base($0) != $0 && !graph[clustering.base($0)].operation.isSource }
    views = Dictionary(grouping: looking) { clustering.base($0) }
  }

  /// The calls that compute everything the graph's roots need, by the order of the values they compute.
  func calls() throws -> [LoweredCall] {
    var calls: [LoweredCall] = []
    var gradients: [AttentionOperands: [ValueID]] = [:]
    for cluster in clustering.live.map({ clustering[$0] }) {
      guard let value = cluster.members.first else { continue }
      switch graph[value].operation {
      case .attentionGradient(let heads, _), .groupAttentionGradient(let heads, _):
        gradients[AttentionOperands(values: graph[value].operands, heads: heads), default: []].append(value)
      default: calls += try lower(cluster, value)
      }
    }
    for (operands, values) in gradients {
      let isGrouped = operands.values.count > 4
      calls.append(
        isGrouped ? lowerGroupAttentionGradient(operands, values.sorted()) : lowerAttentionGradient(operands, values.sorted()))
    }
    calls += fills() + updateCopies()
    for index in calls.indices {
      // Who reads the whole waits for all of its pieces.
      calls[index].writes.formUnion(calls[index].writes.flatMap(storage.wholes))
    }
    if fuses { calls = sequenced(calls) }
    if fuses, backend.sumsBesideProducts { calls = summingBesideProducts(calls) }
    for index in calls.indices {
      calls[index].choose(by: backend)
      calls[index].bytes = calls[index].bytesMoved(in: graph)
    }
    return calls.sorted { $0.order < $1.order }
  }

  /// The calls that compute the members of `cluster`, of which `value` is the first.
  private func lower(_ cluster: Cluster, _ value: ValueID) throws -> [LoweredCall] {
    if let head = cluster.head { return [try lowerMatmul(cluster, head)] }
    if let domain = cluster.domain { return lowerRows(cluster, domain).map { [$0] } ?? [] }
    var calls = try lowerAlone(value)
    let provenance = provenance(of: (stored.inlined[value] ?? []).union(slices(of: value)).union([value]))
    for index in calls.indices { calls[index].provenance = provenance }
    return calls
  }

  // MARK: Rows

  private func lowerRows(_ cluster: Cluster, _ domain: Domain) -> LoweredCall? {
    var rows = RowLowering(
      cluster, domain, graph: graph, storage: storage, clustering: clustering, stored: stored.values,
      arguments: ArgumentList(graph, units: domain.outer[0]))
    let kernel = rows.lower(cluster.members)
    // What only reductions over outer axes use, they compute themselves.
    guard !kernel.stages.isEmpty, let last = cluster.members.last else { return nil }
    let elements = domain.outer.reduce(domain.width ?? 1, *)
    let writes = Set(cluster.members.filter(stored.values.contains))
    return LoweredCall(
      kernel: Kernel(arguments: rows.arguments.arguments, body: .rows(kernel)), bindings: rows.arguments.bindings,
      units: domain.outer[0], reads: rows.reads, writes: writes, overwrites: overwritten(by: writes),
      name: graph.callName(last), provenance: provenance(of: cluster.members), flops: cluster.members.count * elements,
      order: last.index,
      region: graph[last].region)
  }

  /// The states that are written over by computing `values`.
  func overwritten(by values: Set<ValueID>) -> Set<ValueID> {
    Set(values.map { storage[$0].root }.filter { root in graph.updates.contains { $0.state == root } })
  }

  // MARK: Single values

  private func lowerAlone(_ value: ValueID) throws -> [LoweredCall] {
    let node = graph[value]
    switch node.operation {
    case .reduce:
      var lowering = ColumnLowering(
        value, graph: graph, storage: storage, clustering: clustering, inlined: stored.inlined[value] ?? [])
      return lowering?.lower().map { [$0] } ?? []
    case .concatenate(let axis): return concatenation(value, axis)
    case .pad(let axis, let start, _, let step): return padding(value, axis, start, step)
    case .attention(let heads): return [lowerAttention(value, heads)]
    case .groupAttention(let heads): return [lowerGroupAttention(value, heads)]
    case .rank, .invertPermutation, .scatterAdd, .finerIndices, .windowGroups: return [lowerIndex(value)]
    case .waveletAnalysis(let wavelet): return lowerAnalysis(value, wavelet).map { [$0] } ?? []
    case .waveletAdjoint(let wavelet): return [lowerAdjoint(value, wavelet)]
    // The analysis that a slice of subbands is taken of writes it.
    case .slice where storage.separated.contains(value): return []
    default:
      throw CompilationError("there is no kernel for '\(node.operation.name)'", at: node.location)
    }
  }
}

extension Graph {
  /// What a call that computes `value` is called in dumps and profiles.
  func callName(_ value: ValueID) -> String {
    let node = self[value]
    if let update = updates.first(where: { $0.value == value }), let state = self[update.state].operation.sourceName {
      return "update \(state)"
    }
    let layer = node.scope.isEmpty ? node.operation.name : node.scope
    return switch node.region {
    case .forward: layer
    case .backward: "gradient \(layer)"
    case .update: "update \(layer)"
    }
  }
}

extension LoweredCall {
  /// The bytes that all units together read and write, each argument counted once.
  fileprivate func bytesMoved(in graph: Graph) -> Int {
    zip(bindings, kernel.arguments).reduce(0) { total, pair in
      guard case .buffer = pair.0 else { return total }
      let elements = pair.1.unitStride > 0 ? pair.1.unitStride * units : pair.1.count
      return total + elements * pair.1.element.byteCount * (pair.1.access == .update ? 2 : 1)
    }
  }
}
