import WaMIMGraph

/// The computed values that are kept in memory: those that anyone but the kernel which computes them reads.
struct StoredValues {
  private(set) var values: Set<ValueID> = []
  /// For each reduction over outer axes, the elementwise values that it computes again instead of reading them.
  private(set) var inlined: [ValueID: Set<ValueID>] = [:]
  private let graph: Graph
  private let clustering: Clustering
  private let storage: Storage

  init(_ graph: Graph, _ storage: Storage, _ clustering: Clustering) {
    self.graph = graph
    self.clustering = clustering
    self.storage = storage
    for value in graph.results + graph.updates.map(\.value) { values.insert(clustering.base(value)) }
    var columnReductions: [ValueID] = []
    for value in graph.values where clustering.cluster(of: value) != nil {
      if isColumnReduction(value) {
        columnReductions.append(value)
        values.insert(value)
      } else {
        keepOperands(of: value)
      }
    }
    for reduction in columnReductions { keepOrInlineOperand(of: reduction) }
  }

  /// Whether `value` is a reduction that a column kernel computes.
  func isColumnReduction(_ value: ValueID) -> Bool {
    let node = graph[value]
    guard !graph.isSumWithinUnits(value), case .reduce(_, let axes) = node.operation, let operand = node.operands.first else {
      return false
    }
    return axes != [graph[operand].type.shape.rank - 1]
  }

  private mutating func keepOperands(of value: ValueID) {
    // The wavelet analysis itself writes a slice of its subbands.
    if storage.separated.contains(value) { return }
    let node = graph[value]
    let isRowwise = node.operation.isElementwise || node.operation.isReduction
    for operand in node.operands {
      let base = clustering.base(operand)
      let isInternal =
        isRowwise && clustering.cluster(of: base) == clustering.cluster(of: value) && clustering.isRowAligned(operand)
      if !isInternal { values.insert(base) }
    }
    if case .concatenate = node.operation { values.insert(value) }
  }

  // MARK: Reductions over outer axes

  /// The most values that a reduction reads in place of the one it is of.
  private static let largestLoadCount = 6

  private mutating func keepOrInlineOperand(of reduction: ValueID) {
    guard let operand = graph[reduction].operands.first else { return }
    let base = clustering.base(operand)
    var members: Set<ValueID> = []
    var loads: Set<ValueID> = []
    if clustering.isRowAligned(operand), graph[base].type.shape == graph[operand].type.shape, inline(base, &members, &loads),
      !members.isEmpty, loads.count <= StoredValues.largestLoadCount
    {
      inlined[reduction] = members
      values.formUnion(loads)
    } else {
      values.insert(base)
    }
  }

  /// Collects what computing `value` again takes: elementwise members, and the values they read; false where it is too dear.
  private func inline(_ value: ValueID, _ members: inout Set<ValueID>, _ loads: inout Set<ValueID>) -> Bool {
    let node = graph[value]
    if case .constant = node.operation { return true }
    guard node.operation.isElementwise, !values.contains(value), clustering.cluster(of: value) != nil, !node.operation.isExpensive
    else {
      loads.insert(value)
      return !node.operation.isExpensive || values.contains(value)
    }
    guard members.insert(value).inserted else { return true }
    for operand in node.operands {
      let base = clustering.base(operand)
      if graph[base].type.shape == node.type.shape, clustering.isRowAligned(operand) {
        guard inline(base, &members, &loads) else { return false }
      } else {
        loads.insert(base)
      }
    }
    return true
  }
}
