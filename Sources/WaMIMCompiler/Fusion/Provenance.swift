import WaMIMGraph

/// Where the operations of a call come from, and how much of its work each of those origins asks for.
struct Provenance: Hashable {
  /// What an operation belongs to, and where the source asks for it.
  struct Origin: Hashable {
    /// The path of the layer, such as `blocks.3.mlp.fc1`; empty at the top.
    var layer: String
    var file: String?
    /// Counts from 1; 0 where no file is known.
    var line: Int
    var region: Region

    init(_ node: Node) {
      layer = node.scope
      file = node.location?.file
      line = node.location?.line ?? 0
      region = node.region
    }
  }

  /// Multiplications and additions, or elements moved, by estimate; 0 for what is only looked at in another way.
  private(set) var work: [Origin: Int] = [:]

  /// Adds `count` operations that `node` asks for.
  mutating func add(_ node: Node, work count: Int) {
    work[Origin(node), default: 0] += count
  }

  /// Adds what `other` consists of.
  mutating func formUnion(_ other: Provenance) {
    work.merge(other.work, uniquingKeysWith: +)
  }
}

extension Lowering {
  /// Where a call that computes `values` comes from: they themselves, and the movements that are only views, of what it computes or of
  /// the sources that it reads.
  func provenance<Values: Sequence<ValueID>>(of values: Values) -> Provenance {
    var provenance = Provenance()
    for value in values {
      provenance.add(graph[value], work: graph.estimatedWork(of: value))
      // Nobody else may have to do anything for what the value belongs to.
      let wholes = storage.wholes(of: value)
      let shown = wholes + ([value] + wholes).flatMap { views[$0] ?? [] } + graph[value].operands.flatMap(viewsOfSource)
      for value in shown { provenance.add(graph[value], work: 0) }
    }
    return provenance
  }

  /// The movements through which `operand` shows the elements of a source, or none where it shows those of anything else.
  private func viewsOfSource(_ operand: ValueID) -> [ValueID] {
    var chain: [ValueID] = []
    var value = operand
    while !storage.isComputed(value, in: graph), let next = graph[value].operands.first {
      chain.append(value)
      value = next
    }
    return graph[value].operation.isSource ? chain : []
  }
}

extension Graph {
  /// Multiplications and additions, or elements moved, that computing `value` takes, by a rough estimate.
  func estimatedWork(of value: ValueID) -> Int {
    let node = self[value]
    let elements = node.type.shape.count
    func extent(_ operand: Int, _ axis: Int) -> Int { self[node.operands[operand]].type.shape[axis] }
    return switch node.operation {
    case .matmul(let transposeLeft, _): 2 * elements * extent(0, transposeLeft ? -2 : -1)
    case .attention: 4 * elements * extent(1, 1)
    case .attentionGradient(_, let operand): 4 * elements * extent(operand == .query ? 1 : 0, 1)
    case .groupAttention, .groupAttentionGradient: 4 * elements * min(extent(0, 1), extent(3, 0) / 4)
    case .waveletAnalysis(let wavelet), .waveletAdjoint(let wavelet):
      4 * elements * (wavelet.analysis.low.coefficients.count + wavelet.analysis.high.coefficients.count) / 2
    case .reduce: self[node.operands[0]].type.shape.count
    // A processor takes some twenty instructions for what it has none for.
    case let operation where operation.isExpensive: 20 * elements
    default: elements
    }
  }
}
