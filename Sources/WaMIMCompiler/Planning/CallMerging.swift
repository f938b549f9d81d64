import WaMIMGraph

/// Gathers calls that do not depend on each other, for a target that makes several at the same time.
///
/// Calls that nothing but others of their kind waits for, such as sums for gradients of biases and the updates of parameters, are put
/// off until there are many of them, as long as memory allows. Others join an earlier call, if that is near.
struct CallMerging {
  private let order: CallOrder
  private let backend: any Backend
  private var memory: MergingMemory
  /// For each call, whether it can be put off.
  private let isPatient: [Bool]
  /// The calls that are made at the same time, in order.
  private var merged: [Batch] = []
  /// For each call that has a place, its index in `merged`.
  private var places: [Int: Int] = [:]
  private var waiting: [Int] = []

  /// Calls that are made at the same time.
  private struct Batch {
    var calls: [Int]
    var companions: String?
    /// What their arguments are bound to; what several of them read, such as the learning rate, they share.
    var bindings: Set<LoweredCall.Binding>
  }

  /// Batches that lie between a call and the one that it joins, at most; a call whose results are small may go farther.
  private static let reach = 8

  init(_ order: CallOrder, _ graph: Graph, _ backend: any Backend) {
    self.order = order
    self.backend = backend
    memory = MergingMemory(order, graph)
    isPatient = Self.patientCalls(order)
  }

  /// The calls in an order in which they can run, those that are made at the same time as one.
  mutating func calls() -> [LoweredCall] {
    for (position, call) in order.sequence.enumerated() {
      if isPatient[call] {
        waiting.append(call)
      } else {
        memory.make(call)
        if order.calls[call].variant.companions == nil || !join(call) { append([call]) }
      }
      if !memory.hasRoom(behind: position) { release() }
    }
    while !waiting.isEmpty { release() }
    return merged.flatMap { batch in LoweredCall.parallelCalls(batch.calls.map { order.calls[$0] }, by: backend) }
  }

  /// The calls that have companions and that nobody waits for, directly or not, but such calls.
  private static func patientCalls(_ order: CallOrder) -> [Bool] {
    var isPatient = order.calls.map { $0.variant.companions != nil }
    for call in order.sequence.reversed() {
      // Whether the step goes on depends on the loss.
      if order.lossWriters.contains(call) { isPatient[call] = false }
      if !isPatient[call] { for earlier in order.dependencies[call] { isPatient[earlier] = false } }
    }
    return isPatient
  }

  // MARK: Batches

  private mutating func append(_ calls: [Int]) {
    for call in calls { places[call] = merged.count }
    merged.append(
      Batch(
        calls: calls, companions: order.calls[calls[0]].variant.companions,
        bindings: Set(calls.flatMap { order.calls[$0].bindings })))
  }

  /// Adds a call to the nearest batch of its companions that comes behind all that it depends on.
  private mutating func join(_ call: Int) -> Bool {
    let first = (order.dependencies[call].compactMap { places[$0] }.max() ?? -1) + 1
    let bindings = order.calls[call].bindings
    for place in (first..<max(first, merged.count)).reversed() {
      if merged.count - place > Self.reach, !memory.isSmall(call) { return false }
      guard merged[place].companions == order.calls[call].variant.companions,
        merged[place].bindings.union(bindings).count <= backend.parallelArguments
      else { continue }
      merged[place].calls.append(call)
      merged[place].bindings.formUnion(bindings)
      places[call] = place
      return true
    }
    return false
  }

  /// Makes those of the waiting calls that wait for none of the others.
  private mutating func release() {
    let all = Set(waiting)
    let ready = waiting.filter { order.dependencies[$0].isDisjoint(with: all) }
    guard !ready.isEmpty else { return }
    waiting = waiting.filter { !order.dependencies[$0].isDisjoint(with: all) }
    for call in ready { memory.make(call) }
    var kinds: [String] = []
    for call in ready {
      if let kind = order.calls[call].variant.companions, !kinds.contains(kind) { kinds.append(kind) }
    }
    for kind in kinds {
      var batch: [Int] = []
      var bindings: Set<LoweredCall.Binding> = []
      for call in ready where order.calls[call].variant.companions == kind {
        if bindings.union(order.calls[call].bindings).count > backend.parallelArguments, !batch.isEmpty {
          append(batch)
          (batch, bindings) = ([], [])
        }
        batch.append(call)
        bindings.formUnion(order.calls[call].bindings)
      }
      append(batch)
    }
  }
}
