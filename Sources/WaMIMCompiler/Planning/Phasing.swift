import WaMIMGraph

/// Calls gathered into phases, so that threads meet as seldom as possible.
///
/// Calls on the same samples follow each other within a thread's chunk without a barrier, as long as each unit reads nothing but
/// what the same unit has written. Work that needs all units, such as a weight's gradient, waits for the next phase, where it runs
/// beside the samples' work.
struct Phasing {
  /// Calls that follow each other in a chunk.
  struct PhaseGroup {
    var calls: [Int]
    var units: Int
    var chunks: Int
  }

  private(set) var phases: [[PhaseGroup]] = []
  private let calls: [LoweredCall]
  private let order: CallOrder
  private let graph: Graph
  private let chunking: Chunking

  init(_ order: CallOrder, _ graph: Graph, _ chunking: Chunking) {
    calls = order.calls
    self.order = order
    self.graph = graph
    self.chunking = chunking
    var remaining = order.sequence
    var placed = [Bool](repeating: false, count: calls.count)
    let limit = deferralLimit
    while !remaining.isEmpty {
      let phase = fill(remaining, placed, limit)
      for group in phase { for call in group.calls { placed[call] = true } }
      remaining.removeAll { placed[$0] }
      phases.append(
        phase.map { group in
          var group = group
          group.chunks = chunkCount(group)
          return group
        })
    }
  }

  /// Bytes of buffers that deferred calls may keep alive until the next phase: a share of the parameters', but enough for small models.
  private var deferralLimit: Int {
    let states = graph.nodes.reduce(0) { total, node in
      if case .parameter = node.operation { total + node.type.byteCount } else { total }
    }
    return max(states / 32, 4 << 20)
  }

  /// A phase for each call, for a target that makes one after the other.
  init(inTurn order: CallOrder, _ graph: Graph) {
    calls = order.calls
    self.order = order
    self.graph = graph
    chunking = Chunking(rows: .max, least: 1, bytes: .max)
    phases = order.sequence.map { [PhaseGroup(calls: [$0], units: order.calls[$0].units, chunks: 1)] }
  }

  // MARK: Filling a phase

  private func fill(_ remaining: [Int], _ placed: [Bool], _ limit: Int) -> [PhaseGroup] {
    var groups: [PhaseGroup] = []
    var home: [Int: Int] = [:]
    var deferred: Set<ValueID> = []
    var deferredBytes = 0
    for call in remaining {
      switch decide(call, groups, home, placed) {
      case .join(let group):
        groups[group].calls.append(call)
        home[call] = group
      case .start:
        home[call] = groups.count
        groups.append(PhaseGroup(calls: [call], units: calls[call].units, chunks: 1))
      case .wait:
        for root in temporaries(readBy: call) where deferred.insert(root).inserted { deferredBytes += graph[root].type.byteCount }
        if deferredBytes > limit { return groups }
      }
    }
    return groups
  }

  /// The buffers that a call reads and that do not outlive the step.
  private func temporaries(readBy call: Int) -> [ValueID] {
    zip(calls[call].bindings, calls[call].kernel.arguments).compactMap { binding, argument in
      guard case .buffer(let root) = binding, argument.access == .read || argument.access == .update else { return nil }
      switch graph[root].operation {
      case .input, .parameter, .state, .accumulator, .positionTable: return nil
      default: return root
      }
    }
  }

  private enum Decision {
    case join(Int)
    case start, wait
  }

  private func decide(_ call: Int, _ groups: [PhaseGroup], _ home: [Int: Int], _ placed: [Bool]) -> Decision {
    var hosts: Set<Int> = []
    for dependency in order.dependencies[call] where !placed[dependency] {
      if order.lossWriters.contains(dependency), order.updaters.contains(call) { return .wait }
      guard let host = home[dependency] else { return .wait }
      guard calls[dependency].units == calls[call].units, isLocal(dependency, call) else { return .wait }
      hosts.insert(host)
    }
    if hosts.count > 1 { return .wait }
    if let host = hosts.first { return .join(host) }
    // Samples share a group even where they are independent: what they read is near.
    let isSampled = calls[call].units == graph.batch && calls[call].units > 1 && !calls[call].isOnWeights
    if isSampled, let group = groups.firstIndex(where: { $0.units == calls[call].units && !calls[$0.calls[0]].isOnWeights }) {
      return .join(group)
    }
    return .start
  }

  /// Whether every unit of `later` touches only what the same unit of `earlier` has touched, of the buffers that connect them.
  private func isLocal(_ earlier: Int, _ later: Int) -> Bool {
    let (first, second) = (calls[earlier], calls[later])
    for (index, binding) in first.bindings.enumerated() {
      guard case .buffer(let root) = binding else { continue }
      for (other, binding) in second.bindings.enumerated() where binding == .buffer(root) {
        let accesses = [first.kernel.arguments[index].access, second.kernel.arguments[other].access]
        guard accesses.contains(where: { $0 != .read }) else { continue }
        guard first.isSliced(index, graph[root].type.shape.count), second.isSliced(other, graph[root].type.shape.count) else {
          return false
        }
      }
    }
    return true
  }

  // MARK: Chunks

  private func chunkCount(_ group: PhaseGroup) -> Int {
    if let rows = rowsPerUnit(group) {
      let wanted = Double(group.units) * rows / Double(chunking.rows)
      return max(min(group.units, chunking.least), evenChunkCount(group.units, near: wanted))
    }
    let bytes = group.calls.reduce(0) { $0 + calls[$1].bytes }
    let flops = group.calls.reduce(0) { $0 + calls[$1].flops }
    return min(group.units, max(1, bytes / chunking.bytes, flops / (4 * chunking.bytes)))
  }

  /// A number of chunks near `wanted` into which `units` go without remainder, or about `wanted` where there is none near.
  private func evenChunkCount(_ units: Int, near wanted: Double) -> Int {
    func distance(_ count: Int) -> Double { max(Double(count) / wanted, wanted / Double(count)) }
    let even = (1...units).filter { units % $0 == 0 }.min { distance($0) < distance($1) } ?? 1
    return distance(even) < 1.6 ? even : min(units, max(1, Int(wanted.rounded())))
  }

  /// The rows that the matrix products of a group have in each unit, on average over their multiply-adds; nil where there are none.
  ///
  /// A whole number, but counted as one that cannot overflow: backends that cut nothing say so by huge rows.
  private func rowsPerUnit(_ group: PhaseGroup) -> Double? {
    var (weighted, flops) = (0.0, 0.0)
    for call in group.calls {
      guard case .matmul(let kernel) = calls[call].kernel.body else { continue }
      let rows =
        switch kernel.partition {
        case .samples(let rows): rows
        case .products: kernel.m
        case .rows: chunking.rows
        }
      let weight = Double(calls[call].flops / 1024 + 1)
      weighted += Double(rows) * weight
      flops += weight
    }
    return flops > 0 ? max(1, (weighted / flops).rounded(.down)) : nil
  }
}

extension LoweredCall {
  /// Whether the call writes over parameters or states, whose rows are no samples.
  fileprivate var isOnWeights: Bool { !overwrites.isEmpty }
}
