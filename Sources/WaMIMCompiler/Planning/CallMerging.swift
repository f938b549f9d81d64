import WaMIMGraph

/// Gathers calls that do not depend on each other, for a target that makes several at the same time.
///
/// Calls that nothing but others of their kind waits for, such as sums for gradients of biases and the updates of parameters, are put
/// off until there are many of them, as long as memory allows. Others join an earlier call.
struct CallMerging {
  private let order: CallOrder
  private let backend: any Backend
  private let reach: Reach
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
    var companions: Companions?
    var arguments: Arguments
  }

  /// What calls that are made at the same time take.
  private struct Arguments {
    /// What their arguments are bound to; what several of them read, such as the learning rate, they share.
    private var bindings: Set<LoweredCall.Binding> = []
    private var further = 0

    var count: Int { bindings.count + further }

    init(_ calls: [LoweredCall]) { for call in calls { add(call) } }

    mutating func add(_ call: LoweredCall) {
      bindings.formUnion(call.bindings)
      further += call.variant.furtherArguments
    }

    func adding(_ call: LoweredCall) -> Arguments {
      var all = self
      all.add(call)
      return all
    }
  }

  /// Which earlier call another one joins.
  enum Reach {
    /// The nearest one, with few others between them, so that results are not kept for long; if they are small, there may be more.
    case near
    /// The earliest one, so that what could run at the same time, such as several decoders, does so step by step.
    case far
  }

  /// How many of the latest batches are near.
  private static let nearest = 8

  init(_ order: CallOrder, _ graph: Graph, _ backend: any Backend, _ reach: Reach) {
    self.order = order
    self.reach = reach
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
        calls: calls, companions: order.calls[calls[0]].variant.companions, arguments: Arguments(calls.map { order.calls[$0] })))
  }

  /// Adds a call to a batch of its companions that comes behind all that it depends on, if there is one within reach.
  private mutating func join(_ call: Int) -> Bool {
    let first = (order.dependencies[call].compactMap { places[$0] }.max() ?? -1) + 1
    let later = first..<max(first, merged.count)
    let isNear = reach == .near
    for place in isNear ? Array(later.reversed()) : Array(later) {
      if isNear, merged.count - place > Self.nearest, !memory.isSmall(call) { return false }
      guard merged[place].companions == order.calls[call].variant.companions else { continue }
      let arguments = merged[place].arguments.adding(order.calls[call])
      guard arguments.count <= backend.parallelArguments else { continue }
      merged[place].calls.append(call)
      merged[place].arguments = arguments
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
    var kinds: [Companions] = []
    for call in ready {
      if let kind = order.calls[call].variant.companions, !kinds.contains(kind) { kinds.append(kind) }
    }
    for kind in kinds {
      var batch: [Int] = []
      var arguments = Arguments([])
      for call in ready where order.calls[call].variant.companions == kind {
        if arguments.adding(order.calls[call]).count > backend.parallelArguments, !batch.isEmpty {
          append(batch)
          (batch, arguments) = ([], Arguments([]))
        }
        batch.append(call)
        arguments.add(order.calls[call])
      }
      append(batch)
    }
  }
}
