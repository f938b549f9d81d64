import WaMIMGraph
import WaMIMManifest

/// Turns phases of calls into a static schedule: gives every buffer its offset.
///
/// A buffer that only one chunk's calls touch lives in the scratch memory of the thread that runs them; others live in the arena
/// from the first phase that touches them to the last.
struct SchedulePlanner {
  let graph: Graph
  let calls: [LoweredCall]
  let phases: [[Phasing.PhaseGroup]]
  /// Where inputs, states and tables lie.
  let persistent: [ValueID: PersistentLayout.Allocation]
  /// The first byte of the arena that is free for others.
  let start: Int

  /// A call's position in the schedule.
  private struct Position: Hashable {
    var phase: Int
    var group: Int
    var index: Int
  }

  private var positions: [Position]
  private var homes: [ValueID: PersistentLayout.Allocation] = [:]
  /// For each call, the scratch offset of its workspace.
  private var workspaces: [Int: Int] = [:]
  private var buffers: [PlannedBuffer] = []
  private var arenaBytes: Int
  private var scratchBytes = 0

  init(
    _ graph: Graph, _ calls: [LoweredCall], _ phases: [[Phasing.PhaseGroup]], persistent: [ValueID: PersistentLayout.Allocation],
    start: Int
  ) {
    self.graph = graph
    self.calls = calls
    self.phases = phases
    self.persistent = persistent
    self.start = start
    arenaBytes = start
    positions = [Position](repeating: Position(phase: 0, group: 0, index: 0), count: calls.count)
    for (phase, groups) in phases.enumerated() {
      for (group, content) in groups.enumerated() {
        for (index, call) in content.calls.enumerated() { positions[call] = Position(phase: phase, group: group, index: index) }
      }
    }
  }

  /// The schedule called `name`; calls take their kernels and descriptions from `register`.
  mutating func plan(name: String, outputs: Set<ValueID>, register: (LoweredCall) -> (KernelID, Int)) -> Schedule {
    let (shared, local) = touches(outputs)
    layOutArena(shared, outputs)
    layOutScratch(local)
    let planned = phases.map { groups in
      Phase(
        groups: groups.map { group in
          Group(calls: group.calls.map { call(at: $0, register) }, units: group.units, chunks: group.chunks)
        })
    }
    return Schedule(name: name, phases: planned, buffers: buffers, arenaBytes: arenaBytes, scratchBytes: scratchBytes)
  }

  /// The byte offset of the buffer of `root` in the arena.
  func arenaOffset(of root: ValueID) -> Int? {
    (persistent[root] ?? homes[root]).flatMap { $0.storage == .arena ? $0.offset : nil }
  }

  /// The phase in which `value` has been computed, or nil where no call computes it.
  func lastPhase(writing value: ValueID) -> Int? {
    calls.indices.filter { calls[$0].writes.contains(value) }.map { positions[$0].phase }.max()
  }

  private func call(at index: Int, _ register: (LoweredCall) -> (KernelID, Int)) -> Call {
    let lowered = calls[index]
    let (kernel, description) = register(lowered)
    let arguments = zip(lowered.bindings, lowered.kernel.arguments).map { binding, argument -> Placement in
      switch binding {
      case .workspace: return Placement(storage: .scratch, offset: workspaces[index] ?? 0, unitStride: 0)
      case .buffer(let root):
        let stride = argument.unitStride * argument.element.byteCount
        let home = persistent[root] ?? homes[root] ?? .init(storage: .arena, offset: start)
        return Placement(storage: home.storage, offset: home.offset, unitStride: home.storage == .scratch ? 0 : stride)
      }
    }
    return Call(kernel: kernel, arguments: arguments, description: description)
  }

  // MARK: Lifetimes

  /// For each buffer, the calls that touch it: apart, those that one chunk's calls alone touch.
  private func touches(_ outputs: Set<ValueID>) -> (shared: [ValueID: [Int]], local: [ValueID: [Int]]) {
    var touching: [ValueID: [Int]] = [:]
    for (index, call) in calls.enumerated() {
      for case .buffer(let root) in Set(call.bindings) where persistent[root] == nil { touching[root, default: []].append(index) }
    }
    var shared: [ValueID: [Int]] = [:]
    var local: [ValueID: [Int]] = [:]
    for (root, users) in touching {
      if !outputs.contains(root), isLocal(root, users) { local[root] = users } else { shared[root] = users }
    }
    return (shared, local)
  }

  private func isLocal(_ root: ValueID, _ users: [Int]) -> Bool {
    let groups = Set(users.map { Position(phase: positions[$0].phase, group: positions[$0].group, index: 0) })
    guard groups.count == 1 else { return false }
    let count = graph[root].type.shape.count
    return users.allSatisfy { user in
      calls[user].bindings.indices.allSatisfy { calls[user].bindings[$0] != .buffer(root) || calls[user].isSliced($0, count) }
    }
  }

  private mutating func layOutArena(_ shared: [ValueID: [Int]], _ outputs: Set<ValueID>) {
    let live = shared.mapValues { users in
      let used = users.map { positions[$0].phase }
      return (used.min() ?? 0)...(used.max() ?? 0)
    }
    let lines = successions(shared, outputs)
    let planner = ArenaPlanner(
      lines.map { line in
        let isOutput = line.contains(where: outputs.contains)
        let ranges = line.compactMap { live[$0] }
        let last = isOutput ? phases.count - 1 : ranges.map(\.upperBound).max() ?? 0
        return .init(
          byteCount: graph[line[0]].type.byteCount, live: (ranges.map(\.lowerBound).min() ?? 0)...last)
      })
    for (index, line) in lines.enumerated() {
      for root in line {
        let offset = start + planner.offsets[index]
        homes[root] = .init(storage: .arena, offset: offset)
        var range = live[root] ?? 0...0
        if outputs.contains(root) { range = range.lowerBound...(phases.count - 1) }
        note(root, .arena, offset, .init(byteCount: graph[root].type.byteCount, live: range))
      }
    }
    arenaBytes = start + planner.byteCount
  }

  /// The buffers in lines, of each of which every buffer overwrites the one before it.
  ///
  /// A call may write each element of a new buffer where it has read that of another one for the last time.
  private func successions(_ shared: [ValueID: [Int]], _ outputs: Set<ValueID>) -> [[ValueID]] {
    var predecessors: [ValueID: ValueID] = [:]
    var taken: Set<ValueID> = []
    for call in phases.joined().flatMap(\.calls) {
      let bindings = calls[call].bindings
      for pair in calls[call].kernel.inPlacePairs {
        guard case .buffer(let old) = bindings[pair.read], case .buffer(let new) = bindings[pair.written] else { continue }
        guard let oldUsers = shared[old], let newUsers = shared[new], !outputs.contains(old) else { continue }
        guard predecessors[new] == nil, !taken.contains(old), graph[old].type.byteCount == graph[new].type.byteCount else {
          continue
        }
        guard isLast(call, of: oldUsers, old), isFirst(call, of: newUsers, new) else { continue }
        predecessors[new] = old
        taken.insert(old)
      }
    }
    var lines: [ValueID: [ValueID]] = [:]
    for root in shared.keys.sorted() {
      var line = [root]
      while let earlier = predecessors[line[0]] { line.insert(earlier, at: 0) }
      if line.count > lines[line[0]]?.count ?? 0 { lines[line[0]] = line }
    }
    return lines.sorted { $0.key < $1.key }.map(\.value)
  }

  /// Whether all other `users` of a buffer are through with a unit when `call` begins with it.
  private func isLast(_ call: Int, of users: [Int], _ root: ValueID) -> Bool {
    users.allSatisfy { $0 == call || positions[$0].phase < positions[call].phase || isBefore($0, call) }
      && isSliced(root, users, call)
  }

  /// Whether no other of the `users` of a buffer begins with a unit before `call` has.
  private func isFirst(_ call: Int, of users: [Int], _ root: ValueID) -> Bool {
    users.allSatisfy { $0 == call || positions[$0].phase > positions[call].phase || isBefore(call, $0) }
      && isSliced(root, users, call)
  }

  /// Whether a chunk makes `first` before `second`.
  private func isBefore(_ first: Int, _ second: Int) -> Bool {
    let (first, second) = (positions[first], positions[second])
    return first.phase == second.phase && first.group == second.group && first.index < second.index
  }

  /// Whether those `users` that are in the phase of `call` touch nothing but the units of their chunk.
  private func isSliced(_ root: ValueID, _ users: [Int], _ call: Int) -> Bool {
    users.filter { positions[$0].phase == positions[call].phase }.allSatisfy { user in
      calls[user].bindings.indices.allSatisfy {
        calls[user].bindings[$0] != .buffer(root) || calls[user].isSliced($0, graph[root].type.shape.count)
      }
    }
  }

  private mutating func layOutScratch(_ local: [ValueID: [Int]]) {
    var byGroup: [Position: [ValueID]] = [:]
    for (root, users) in local {
      let position = positions[users[0]]
      byGroup[Position(phase: position.phase, group: position.group, index: 0), default: []].append(root)
    }
    for (phase, groups) in phases.enumerated() {
      for (index, group) in groups.enumerated() {
        let roots = byGroup[Position(phase: phase, group: index, index: 0)]?.sorted() ?? []
        layOutScratch(roots, local, group)
      }
    }
  }

  private mutating func layOutScratch(_ roots: [ValueID], _ local: [ValueID: [Int]], _ group: Phasing.PhaseGroup) {
    let largestChunk = (group.units + group.chunks - 1) / group.chunks
    var requests = roots.map { root in
      let used = (local[root] ?? []).map { positions[$0].index }
      return ArenaPlanner.Request(
        byteCount: graph[root].type.byteCount / group.units * largestChunk, live: (used.min() ?? 0)...(used.max() ?? 0))
    }
    let workers = group.calls.filter { calls[$0].bindings.contains(.workspace) }
    for call in workers {
      let bytes = calls[call].kernel.arguments.reduce(0) { $0 + ($1.access == .workspace ? $1.byteCount : 0) }
      requests.append(.init(byteCount: bytes, live: positions[call].index...positions[call].index))
    }
    let planner = ArenaPlanner(requests)
    for (index, root) in roots.enumerated() {
      homes[root] = .init(storage: .scratch, offset: planner.offsets[index])
      note(root, .scratch, planner.offsets[index], requests[index])
    }
    for (index, call) in workers.enumerated() { workspaces[call] = planner.offsets[roots.count + index] }
    scratchBytes = max(scratchBytes, planner.byteCount)
  }

  private mutating func note(_ root: ValueID, _ storage: Placement.Storage, _ offset: Int, _ request: ArenaPlanner.Request) {
    buffers.append(
      PlannedBuffer(
        name: graph.callName(root), type: graph[root].type, storage: storage, offset: offset, byteCount: request.byteCount,
        live: request.live))
  }
}
