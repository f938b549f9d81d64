import BitCollections
import WaMIMGraph

/// The partition of a graph's computed values into kernels.
///
/// Values join the kernel that computes their operands where both run over the same rows and each row needs only itself: chains of
/// elementwise operations, layer norm and softmax become one kernel, and what follows a matmul row by row joins the matmul.
struct Clustering {
  let graph: Graph
  let storage: Storage
  private(set) var clusters: [Cluster] = []
  private var owner: [ClusterID?]
  /// For each cluster, those that have to run before it, directly or not.
  private var ancestors: [BitSet] = []
  /// Clusters that have been merged into others.
  private var isEmpty: [Bool] = []
  /// The products by blocks of rows that what follows them joins.
  private let consumed: Set<ValueID>

  /// Clusters the values of `graph`; where `isEnabled` is false, each value stays alone.
  ///
  /// - Parameter consumed: The weights' gradients that the optimiser's updates join.
  init(_ graph: Graph, _ storage: Storage, isEnabled: Bool = true, consumed: Set<ValueID> = []) {
    self.graph = graph
    self.storage = storage
    self.consumed = consumed
    owner = [ClusterID?](repeating: nil, count: graph.nodes.count)
    for value in graph.values where storage.isComputed(value, in: graph) && !graph[value].operation.isSource {
      assign(value, joins: isEnabled)
    }
  }

  /// The clusters that have members.
  var live: [ClusterID] { clusters.indices.filter { !isEmpty[$0] }.map(ClusterID.init) }

  subscript(cluster: ClusterID) -> Cluster { clusters[cluster.index] }

  /// The cluster that computes `value`, or nil where nothing does.
  func cluster(of value: ValueID) -> ClusterID? { owner[value.index] }

  /// The computed value whose elements `value` shows, through movements that are views.
  func base(_ value: ValueID) -> ValueID {
    var value = value
    while !storage.isComputed(value, in: graph), let operand = graph[value].operands.first { value = operand }
    return value
  }

  /// Whether row `i` of `operand` is row `i` of the value it is a view of: the same elements, or one number for each row repeated.
  func isRowAligned(_ operand: ValueID) -> Bool {
    var value = operand
    while !storage.isComputed(value, in: graph), let next = graph[value].operands.first {
      switch graph[value].operation {
      case .detach: break
      case .broadcast(let shape):
        let from = graph[next].type.shape
        guard from.rank == shape.rank, from.rank > 0, from[-1] == 1, from.dimensions.dropLast() == shape.dimensions.dropLast()
        else { return false }
      default: return false
      }
      value = next
    }
    return true
  }

  // MARK: Placement

  private mutating func assign(_ value: ValueID, joins: Bool) {
    let dependencies = Set(graph[value].operands.compactMap { owner[base($0).index]?.index })
    guard let domain = rowDomain(value) else {
      add(
        Cluster(members: [value], domain: epilogueDomain(value, joins), head: head(value), isForward: isForward(value)),
        after: dependencies)
      return
    }
    var home: Int?
    for candidate in (joins ? candidates(value, domain) : []).sorted(by: >) {
      if let chosen = home {
        if let merged = merge(candidate, into: chosen) { home = merged }
      } else if dependencies.allSatisfy({ $0 == candidate || !ancestors[$0].contains(candidate) }) {
        home = candidate
      }
    }
    if let home {
      clusters[home].members.append(value)
      clusters[home].domain = clusters[home].domain?.joined(with: domain)
      owner[value.index] = ClusterID(index: home)
      let inherited = Set(graph[value].operands.compactMap { owner[base($0).index]?.index })
      addAncestors(BitSet(inherited.subtracting([home])), to: home)
    } else {
      add(Cluster(members: [value], domain: domain, head: nil, isForward: isForward(value)), after: dependencies)
    }
  }

  /// The clusters of operands that `value` could join: the same rows, and reading nothing but its own row of what they compute.
  private func candidates(_ value: ValueID, _ domain: Domain) -> Set<Int> {
    var result: Set<Int> = []
    var excluded: Set<Int> = []
    let node = graph[value]
    for operand in node.operands {
      guard let cluster = owner[base(operand).index]?.index else { continue }
      let isAligned = node.operation.isElementwise || node.operation.isReduction
      if isAligned, isRowAligned(operand), clusters[cluster].domain?.joined(with: domain) != nil,
        clusters[cluster].isForward == isForward(value)
      {
        result.insert(cluster)
      } else {
        excluded.insert(cluster)
      }
    }
    return result.subtracting(excluded)
  }

  /// Moves the members of `source` to `target` if no other cluster has to run between them; returns the merged cluster.
  private mutating func merge(_ source: Int, into target: Int) -> Int? {
    guard source != target, let domain = clusters[source].domain.flatMap({ clusters[target].domain?.joined(with: $0) }),
      clusters[source].head == nil || clusters[target].head == nil, !isReadAskew(source, by: target),
      !isReadAskew(target, by: source)
    else { return nil }
    let between = { (first: Int, last: Int, ancestors: [BitSet]) in
      ancestors[last].contains { $0 != first && ancestors[$0].contains(first) }
    }
    guard !between(source, target, ancestors), !between(target, source, ancestors) else { return nil }
    clusters[target].members = (clusters[target].members + clusters[source].members).sorted()
    clusters[target].domain = domain
    clusters[target].head = clusters[target].head ?? clusters[source].head
    for member in clusters[source].members { owner[member.index] = ClusterID(index: target) }
    isEmpty[source] = true
    clusters[source].members = []
    clusters[source].domain = nil
    var inherited = ancestors[source].union(ancestors[target])
    inherited.subtract([source, target])
    for index in ancestors.indices where ancestors[index].remove(source) != nil { ancestors[index].insert(target) }
    ancestors[target] = []
    ancestors[source] = []
    addAncestors(inherited, to: target)
    return target
  }

  /// Whether a member of `reader` reads more than its own row of a value that `source` computes.
  private func isReadAskew(_ source: Int, by reader: Int) -> Bool {
    clusters[reader].members.contains { member in
      graph[member].operands.contains { operand in
        owner[base(operand).index]?.index == source
          && !(isRowAligned(operand) && (graph[member].operation.isElementwise || graph[member].operation.isReduction))
      }
    }
  }

  private mutating func add(_ cluster: Cluster, after dependencies: Set<Int>) {
    let index = clusters.count
    for member in cluster.members { owner[member.index] = ClusterID(index: index) }
    clusters.append(cluster)
    isEmpty.append(false)
    ancestors.append([])
    addAncestors(BitSet(dependencies), to: index)
  }

  /// Makes `cluster`, and all that come after it, come after `earlier` and what comes before those.
  private mutating func addAncestors(_ earlier: BitSet, to cluster: Int) {
    let all = earlier.reduce(into: earlier) { $0.formUnion(ancestors[$1]) }
    guard !all.isSubset(of: ancestors[cluster]) else { return }
    ancestors[cluster].formUnion(all)
    for index in ancestors.indices where ancestors[index].contains(cluster) { ancestors[index].formUnion(all) }
  }

  // MARK: What values are

  private func isForward(_ value: ValueID) -> Bool { graph[value].region == .forward }

  /// The rows that computing `value` runs over, or nil where it is no work on rows.
  private func rowDomain(_ value: ValueID) -> Domain? {
    let node = graph[value]
    if storage.separated.contains(value) { return nil }
    switch node.operation {
    case .unary, .binary, .convert, .gather: return Domain(node.type.shape)
    case .detach, .broadcast, .transpose, .slice: return Domain(node.type.shape)
    case .reshape: return node.operands.first.map { Domain(graph[$0].type.shape) }
    case .reduce(_, let axes):
      guard let operand = node.operands.first, axes == [graph[operand].type.shape.rank - 1] || graph.isSumWithinUnits(value)
      else { return nil }
      return Domain(graph[operand].type.shape)
    default: return nil
    }
  }

  private func head(_ value: ValueID) -> ValueID? {
    if case .matmul = graph[value].operation { value } else { nil }
  }

  /// The rows of a matmul's result, where an epilogue can run over them together with the product.
  private func epilogueDomain(_ value: ValueID, _ joins: Bool) -> Domain? {
    let node = graph[value]
    guard joins, case .matmul(let transposeLeft, _) = node.operation, !transposeLeft || consumed.contains(value),
      node.type.shape.rank >= 2, node.operands.count == 2, graph[node.operands[1]].type.shape.rank == 2, node.type.shape[-1] > 1
    else { return nil }
    return Domain(node.type.shape)
  }
}
