import WaMIMGraph

/// Which values are computed into memory, and where every value is to be found.
struct Storage {
  /// Where each value lies.
  private(set) var views: [View]
  /// The movements that no view can express, or whose consumers need rows as they lie: they are carried out.
  private(set) var copies: Set<ValueID>
  /// The slices along the axis of subbands that the wavelet analysis writes itself, in place of all subbands of its level.
  private(set) var separated: Set<ValueID>
  /// The values that lie within a larger value or a state because whoever computes them writes there directly.
  private(set) var forwarded: Set<ValueID>
  /// For each computed value that lies within a larger one, that one.
  private(set) var joints: [ValueID: ValueID]
  /// The products that are added to what lies there already.
  private(set) var accumulated: Set<ValueID>
  /// The sums of such a product and an accumulator, which nobody has to compute any more.
  private var absorbed: Set<ValueID>

  subscript(value: ValueID) -> View { views[value.index] }

  /// Decides for every value of `graph` where it lies.
  ///
  /// - Parameters:
  ///   - updatesInPlace: Whether the new value of a state is written over the old one by whoever computes it.
  ///   - separatesSubbands: Whether a wavelet analysis writes the slices of subbands that are wanted instead of all subbands.
  init(_ graph: Graph, updatesInPlace: Bool, separatesSubbands: Bool) {
    copies = []
    separated = []
    forwarded = []
    joints = [:]
    accumulated = []
    absorbed = []
    views = graph.values.map { View(whole: $0, shape: graph[$0].type.shape) }
    let users = graph.users()
    let results = Set(graph.results)
    if updatesInPlace {
      forwardIntoStates(graph, results)
      accumulateProducts(graph, users, results)
    }
    forwardIntoJoints(graph, users, results)
    if separatesSubbands { separateSubbands(graph, users) }
    for value in graph.values
    where graph[value].operation.isMovement && !forwarded.contains(value) && !separated.contains(value) {
      if let view = movedView(graph, value), isUsable(view, graph, value, users[value.index], isResult: results.contains(value)) {
        views[value.index] = view
      } else {
        copies.insert(value)
      }
    }
  }

  /// Whether `value` is computed rather than seen through a view of another value.
  func isComputed(_ value: ValueID, in graph: Graph) -> Bool {
    (!graph[value].operation.isMovement || copies.contains(value) || separated.contains(value)) && !absorbed.contains(value)
  }

  /// The larger values of which `value` is a piece, the one within the other.
  func wholes(of value: ValueID) -> [ValueID] {
    var wholes: [ValueID] = []
    var piece = value
    while let joint = joints[piece] {
      wholes.append(joint)
      piece = joint
    }
    return wholes
  }

  /// The view that a movement is of its operand's, or nil where there is none.
  func movedView(_ graph: Graph, _ value: ValueID) -> View? {
    let node = graph[value]
    guard node.operation.isMovement, let operand = node.operands.first.map({ views[$0.index] }) else { return nil }
    switch node.operation {
    case .broadcast(let shape): return operand.broadcast(to: shape)
    case .reshape(let shape): return operand.reshaped(shape)
    case .transpose(let permutation): return operand.transposed(permutation)
    case .slice(let axis, let start, let count, let step):
      return operand.sliced(axis: axis, start: start, count: count, step: step)
    case .detach: return operand
    default: return nil
    }
  }

  /// Lets the new values of states be computed over the old ones.
  private mutating func forwardIntoStates(_ graph: Graph, _ results: Set<ValueID>) {
    for update in graph.updates {
      let value = update.value
      guard graph[value].operation.isElementwise, !results.contains(value), graph.updates.count(where: { $0.value == value }) == 1
      else { continue }
      views[value.index] = View(whole: update.state, shape: graph[update.state].type.shape)
      forwarded.insert(value)
    }
  }

  /// Lets products that are only wanted for what an accumulator holds after them be added to it as they are computed.
  private mutating func accumulateProducts(_ graph: Graph, _ users: [[ValueID]], _ results: Set<ValueID>) {
    for update in graph.updates where forwarded.contains(update.value) {
      let sum = graph[update.value]
      guard sum.operation == .binary(.add), sum.operands[1] == update.state, users[update.value.index].isEmpty,
        users[update.state.index] == [update.value]
      else { continue }
      func isWantedOnce(_ value: ValueID) -> Bool { users[value.index].count == 1 && !results.contains(value) }
      var product = sum.operands[0]
      while case .reshape = graph[product].operation, isWantedOnce(product) { product = graph[product].operands[0] }
      guard case .matmul = graph[product].operation, isWantedOnce(product),
        let view = views[update.state.index].reshaped(graph[product].type.shape)
      else { continue }
      views[product.index] = view
      accumulated.insert(product)
      absorbed.insert(update.value)
    }
  }

  /// Lets pieces of larger values, side by side or among zeros, be computed where they are wanted, if what computes them can write
  /// there.
  private mutating func forwardIntoJoints(_ graph: Graph, _ users: [[ValueID]], _ results: Set<ValueID>) {
    let kept = results.union(graph.updates.map(\.value))
    for value in graph.values.reversed() {
      let axis: Int
      var start: Int
      switch graph[value].operation {
      case .concatenate(let along): (axis, start) = (along, 0)
      case .pad(let along, let first, _, 1): (axis, start) = (along, first)
      default: continue
      }
      for operand in graph[value].operands {
        let extent = graph[operand].type.shape[axis]
        let window = views[value.index].sliced(axis: axis, start: start, count: extent, step: 1)
        forward(operand, into: value, window, graph, users, kept)
        start += extent
      }
    }
  }

  /// Lets `piece`, or what it is a reshape of, be computed at `window` of `joint`, if nobody else wants it.
  private mutating func forward(
    _ piece: ValueID, into joint: ValueID, _ window: View, _ graph: Graph, _ users: [[ValueID]], _ kept: Set<ValueID>
  ) {
    var chain = [(value: piece, view: window)]
    while let (value, view) = chain.last {
      guard users[value.index].count == 1, !kept.contains(value) else { return }
      guard case .reshape = graph[value].operation, let operand = graph[value].operands.first,
        let inner = view.reshaped(graph[operand].type.shape)
      else { break }
      chain.append((operand, inner))
    }
    guard let (source, view) = chain.last, graph.canWrite(source, at: view) else { return }
    for link in chain {
      views[link.value.index] = link.view
      forwarded.insert(link.value)
    }
    joints[source] = joint
  }

  /// Lets wavelet analyses write the slices that are read of their subbands, where no one wants all of them.
  private mutating func separateSubbands(_ graph: Graph, _ users: [[ValueID]]) {
    let roots = Set(graph.roots)
    for value in graph.values where !roots.contains(value) && graph.isReadBySubbands(value, users[value.index]) {
      separated.formUnion(users[value.index])
    }
  }

  /// Whether those who read `value` as more than single elements can do so through `view`.
  private func isUsable(_ view: View, _ graph: Graph, _ value: ValueID, _ users: [ValueID], isResult: Bool) -> Bool {
    if isResult, !view.isContiguous { return false }
    return users.allSatisfy { user in
      let node = graph[user]
      switch node.operation {
      case .matmul: return view.matrix != nil
      case .attention, .attentionGradient, .waveletAnalysis, .waveletAdjoint: return view.hasContiguousRows
      case .groupAttention, .groupAttentionGradient:
        // The table of biases and the groups lie as they are, whatever else the value is used for.
        let isTable = node.operands[3...4].contains(value)
        return isTable ? view.isContiguous && view.offset == 0 : view.hasContiguousRows
      case .finerIndices, .windowGroups: return view.hasContiguousRows
      case .rank, .invertPermutation: return view.isContiguous && view.offset == 0
      case .scatterAdd: return node.operands[1] == value ? view.isContiguous && view.offset == 0 : view.scatterStrides != nil
      default: return true
      }
    }
  }
}

extension Graph {
  /// Whether the kernel that computes `value` can store it at `view`.
  fileprivate func canWrite(_ value: ValueID, at view: View) -> Bool {
    let node = self[value]
    switch node.operation {
    case .unary, .binary, .convert, .gather, .attention, .attentionGradient, .groupAttention, .concatenate: return true
    case .groupAttentionGradient(_, let operand): return operand != .bias
    case .reduce(_, let axes): return axes != [self[node.operands[0]].type.shape.rank - 1]
    // The gradient of a weight, which no epilogue follows.
    case .matmul(let transposeLeft, _): return transposeLeft && node.type.shape.rank == 2 && view.isContiguous
    default: return false
    }
  }
}

extension View {
  /// The view as matrices that a product can read: their rows evenly spaced, samples included, or nil.
  var matrix: (rows: Int, columns: Int, rowStride: Int)? {
    guard shape.rank >= 2, hasContiguousRows else { return nil }
    let columns = shape[-1]
    guard let flat = reshaped([shape.count / columns, columns]) else { return nil }
    let rowStride = flat.shape[0] == 1 ? columns : flat.strides[0]
    // Rows that repeat or overlap are no matrix.
    guard rowStride >= columns else { return nil }
    return (flat.shape[0], columns, rowStride)
  }

  /// The elements from one sample of a unit to the next and from one row to the next, where rows [b, n, c] or [b, s, n, c] of units
  /// evenly apart are contiguous, or nil.
  var scatterStrides: (sample: Int, row: Int)? {
    guard shape.rank == 3 || shape.rank == 4, hasContiguousRows, strides[0] > 0 || shape[0] == 1 else { return nil }
    return (shape.rank == 4 ? strides[1] : 0, shape[-2] == 1 ? shape[-1] : strides[shape.rank - 2])
  }
}
