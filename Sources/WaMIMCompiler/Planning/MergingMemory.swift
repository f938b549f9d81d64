import WaMIMGraph

/// How much memory waits for calls that are put off, beside what the calls in their order take.
struct MergingMemory {
  private let sizes: [ValueID: Int]
  /// For each call, the buffers that it touches and that do not outlive the schedule.
  private let buffers: [Set<ValueID>]
  /// For each position in the order, the buffers that are touched there for the last time.
  private let ends: [[ValueID]]
  /// Bytes that are in use at each position, if no call is put off.
  private var used: [Int] = []
  /// The most of them.
  let most: Int
  /// For each buffer, the calls that have not been made.
  private var users: [ValueID: Int] = [:]
  /// The buffers that only calls which are put off keep, and their bytes.
  private var kept: Set<ValueID> = []
  private var keptBytes = 0

  /// The share of the most memory in use that calls may keep on top of it, and the share that is little.
  private static let (more, little) = (1.0 / 64, 1.0 / 512)

  init(_ order: CallOrder, _ graph: Graph) {
    let roots = Set(graph.roots)
    buffers = order.calls.map { call in
      let touched = call.bindings.compactMap { if case .buffer(let root) = $0 { root } else { nil } }
      return Set(touched.filter { !graph[$0].operation.isSource && !roots.contains($0) })
    }
    var (first, last): ([ValueID: Int], [ValueID: Int]) = ([:], [:])
    for (position, call) in order.sequence.enumerated() {
      for root in buffers[call] {
        first[root] = first[root] ?? position
        last[root] = position
        users[root, default: 0] += 1
      }
    }
    sizes = first.keys.reduce(into: [:]) { $0[$1] = graph[$1].type.byteCount }
    var ends: [[ValueID]] = order.sequence.map { _ in [] }
    for (root, position) in last { ends[position].append(root) }
    var begins = order.sequence.map { _ in 0 }
    for (root, position) in first { begins[position] += sizes[root] ?? 0 }
    var bytes = 0
    var most = 0
    for position in begins.indices {
      bytes += begins[position]
      most = max(most, bytes)
      used.append(bytes)
      for root in ends[position] { bytes -= sizes[root] ?? 0 }
    }
    self.most = most
    self.ends = ends
  }

  /// Notes that a call is made.
  mutating func make(_ call: Int) {
    for root in buffers[call] {
      users[root, default: 1] -= 1
      if users[root] == 0, kept.remove(root) != nil { keptBytes -= sizes[root] ?? 0 }
    }
  }

  /// Goes past a position of the order, whose call has been made or put off; tells whether there is room for what is kept.
  mutating func hasRoom(behind position: Int) -> Bool {
    for root in ends[position] where users[root] != 0 && kept.insert(root).inserted { keptBytes += sizes[root] ?? 0 }
    let next = position + 1 < used.count ? used[position + 1] : 0
    return next + keptBytes <= most + share(Self.more)
  }

  /// Whether a call's buffers are so small that it does not matter how long they are kept.
  func isSmall(_ call: Int) -> Bool { buffers[call].reduce(0) { $0 + (sizes[$1] ?? 0) } <= share(Self.little) }

  private func share(_ share: Double) -> Int { Int(share * Double(most)) }
}
