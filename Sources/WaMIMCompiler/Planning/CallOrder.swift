import WaMIMGraph

/// Which calls have to run before which, and an order in which they can.
struct CallOrder {
  let calls: [LoweredCall]
  /// For each call, those whose results it reads, or that read what it writes over.
  private(set) var dependencies: [Set<Int>]
  /// The calls in an order in which they can run.
  private(set) var sequence: [Int] = []
  /// The calls that compute the loss, and those that may not run in a phase that they run in, as they change what outlives the step.
  private(set) var lossWriters: Set<Int> = []
  private(set) var updaters: Set<Int> = []

  /// Orders `calls`, each as early as the graph's order wants it; updates of states as early as they can run once `loss` is known.
  ///
  /// - Parameters:
  ///   - loss: The computed value that the loss is.
  ///   - savesMemory: Whether calls of the forward pass wait until the backward pass needs them.
  /// - Returns: nil where a state would have to be written over before it is read for the last time.
  init?(_ calls: [LoweredCall], _ graph: Graph, loss: ValueID?, savesMemory: Bool = true) {
    self.init(arranged: calls, graph, loss: loss)
    var priorities = calls.map { Priority(need: $0.order, order: $0.order) }
    guard let early = arranged(by: priorities) else { return nil }
    if loss != nil, savesMemory { delayForwardPass(early, &priorities) }
    sequence = arranged(by: priorities) ?? early
  }

  /// The order in which `calls` stand, in which they can run.
  init(arranged calls: [LoweredCall], _ graph: Graph, loss: ValueID?) {
    self.calls = calls
    dependencies = [Set<Int>](repeating: [], count: calls.count)
    let writers = CallOrder.writers(calls)
    lossWriters = loss.flatMap { writers[$0] } ?? []
    var readers: [ValueID: [Int]] = [:]
    for (index, call) in calls.enumerated() {
      for value in call.reads {
        readers[value, default: []].append(index)
        dependencies[index].formUnion(writers[value] ?? [])
      }
    }
    for (index, call) in calls.enumerated() {
      for state in call.overwrites { dependencies[index].formUnion(readers[state] ?? []) }
      // A step whose loss is not finite is left before it changes anything.
      if call.overwrites.contains(where: graph.outlivesStep) {
        updaters.insert(index)
        dependencies[index].formUnion(lossWriters)
      }
      dependencies[index].remove(index)
    }
    sequence = Array(calls.indices)
  }

  /// For each value, the calls that write to it.
  private static func writers(_ calls: [LoweredCall]) -> [ValueID: Set<Int>] {
    var writers: [ValueID: Set<Int>] = [:]
    for (index, call) in calls.enumerated() {
      for value in call.writes { writers[value, default: []].insert(index) }
    }
    return writers
  }

  /// When a call should run if nothing else decides: by the first call of the backward pass that needs it, then by the graph's order.
  private struct Priority: Comparable {
    var need: Int
    var order: Int

    static func < (left: Priority, right: Priority) -> Bool { (left.need, left.order) < (right.need, right.order) }
  }

  /// Lets each call of the forward pass run only when the backward pass first needs it, so that its results wait in memory no longer
  /// than they have to: of several decoders, one goes forwards and backwards before the next one begins.
  ///
  /// What only the loss or an output needs runs as soon as it can; the first update waits for it.
  private func delayForwardPass(_ sequence: [Int], _ priorities: inout [Priority]) {
    let users = self.users
    for call in sequence.reversed() where calls[call].region == .forward {
      let needs = users[call].filter { calls[$0].region != .update }.map { priorities[$0].need }
      priorities[call].need = needs.min() ?? .max
    }
    for call in sequence where priorities[call].need == .max {
      priorities[call].need = dependencies[call].map { priorities[$0].need }.max() ?? 0
    }
  }

  /// For each call, those that depend on it.
  private var users: [[Int]] {
    var users = [[Int]](repeating: [], count: calls.count)
    for (index, earlier) in dependencies.enumerated() {
      for call in earlier { users[call].append(index) }
    }
    return users
  }

  /// The calls in an order in which they can run, those of low `priorities` first; nil where they depend on each other in a circle.
  private func arranged(by priorities: [Priority]) -> [Int]? {
    var priorities = priorities
    var waiting = dependencies.map(\.count)
    let users = self.users
    var ready = calls.indices.filter { waiting[$0] == 0 }
    for call in ready where calls[call].region == .update { priorities[call] = Priority(need: 0, order: 0) }
    var sequence: [Int] = []
    while let position = ready.indices.min(by: { (priorities[ready[$0]], ready[$0]) < (priorities[ready[$1]], ready[$1]) }) {
      let call = ready.remove(at: position)
      sequence.append(call)
      for user in users[call] {
        waiting[user] -= 1
        guard waiting[user] == 0 else { continue }
        // The optimiser consumes a gradient as soon as it is there, so that its memory is free again.
        if calls[user].region == .update, let latest = dependencies[user].map({ priorities[$0] }).max() {
          priorities[user] = latest
        }
        ready.append(user)
      }
    }
    return sequence.count == calls.count ? sequence : nil
  }
}
