import WaMIMGraph

/// A graph's calls in an order, and the phases in which they run.
struct Arrangement {
  let lowering: Lowering
  let order: CallOrder
  let phases: [[Phasing.PhaseGroup]]

  /// Arranges the calls of `graph`, with states updated in place unless someone still reads their old values.
  ///
  /// - Parameters:
  ///   - fuses: Whether values share kernels.
  ///   - backend: What says how kernels are carried out.
  ///   - merges: Whether calls are gathered that the target can make at the same time.
  init(of graph: Graph, fuses: Bool, merges: Bool, backend: any Backend) throws {
    let arrangement = try Arrangement(of: graph, fuses: fuses, backend: backend)
    self = merges && backend.parallelArguments > 0 ? arrangement.merged(by: backend) : arrangement
  }

  private init(of graph: Graph, fuses: Bool, backend: any Backend) throws {
    for updatesInPlace in [true, false] {
      guard
        let plain = try Arrangement(
          Lowering(graph, updatesInPlace: updatesInPlace, fuses: fuses, backend: backend), backend)
      else { continue }
      let gradients = updatesInPlace && fuses ? plain.gradientsAfterLoss : []
      guard !gradients.isEmpty else {
        self = plain
        return
      }
      let consuming = Lowering(graph, updatesInPlace: true, consumed: gradients, backend: backend)
      self = try Arrangement(consuming, backend) ?? plain
      return
    }
    throw CompilationError("the updates of the states depend on each other in a circle")
  }

  /// Arranges the calls of `lowering`, or gives nil where a state would be written over before it is read for the last time.
  private init?(_ lowering: Lowering, _ backend: any Backend) throws {
    let graph = lowering.graph
    let calls = try lowering.calls()
    guard !calls.contains(where: \.readsAfterOverwriting),
      let order = CallOrder(calls, graph, loss: graph.loss.map(lowering.clustering.base))
    else { return nil }
    self.init(lowering, order, backend)
  }

  private init(_ lowering: Lowering, _ order: CallOrder, _ backend: any Backend) {
    self.lowering = lowering
    self.order = order
    let graph = lowering.graph
    phases = (backend.makesCallsInTurn ? Phasing(inTurn: order, graph) : Phasing(order, graph, backend.chunking)).phases
  }

  /// The arrangement in which calls that do not depend on each other are made as one, where `backend` can do that.
  private func merged(by backend: any Backend) -> Arrangement {
    let near = merged(.near, by: backend)
    let far = merged(.far, by: backend)
    let isWorthIt = far.calls.count < near.calls.count && memory(of: far) < Self.memoryForMerging * memory(of: near)
    return Arrangement(lowering, isWorthIt ? far : near, backend)
  }

  /// How many times the memory of near calls may be taken by far ones that are made together, which keep results for longer.
  private static let memoryForMerging = 1.33

  private func merged(_ reach: CallMerging.Reach, by backend: any Backend) -> CallOrder {
    let graph = lowering.graph
    let loss = graph.loss.map(lowering.clustering.base)
    let order = reach == .far ? CallOrder(order.calls, graph, loss: loss, savesMemory: false) ?? order : order
    var merging = CallMerging(order, graph, backend, reach)
    return CallOrder(arranged: merging.calls(), graph, loss: loss)
  }

  private func memory(of order: CallOrder) -> Double {
    Double(MergingMemory(order, lowering.graph).most)
  }

  /// The weights' gradients that are computed no sooner than the loss, so that updates can follow at once, or one phase later.
  ///
  /// Were others to wait for the loss, what they are computed from would wait in memory with them.
  private var gradientsAfterLoss: Set<ValueID> {
    let gradients = lowering.consumableGradients()
    guard !gradients.isEmpty else { return [] }
    var late: Set<ValueID> = []
    for groups in phases.reversed() {
      let calls = groups.flatMap(\.calls)
      for call in calls { late.formUnion(order.calls[call].writes) }
      if calls.contains(where: order.lossWriters.contains) { break }
    }
    return gradients.intersection(late)
  }
}

extension LoweredCall {
  /// Whether a loop over a row reads a state again that an earlier one has written over, or a product one that follows it does.
  fileprivate var readsAfterOverwriting: Bool {
    guard !overwrites.isEmpty else { return false }
    let stages: [RowStage]
    switch kernel.body {
    case .rows(let rows): stages = rows.stages
    case .matmul(let matmul):
      let operands = [matmul.left, matmul.right].map { bindings[$0.argument] }
      if overwrites.contains(where: { operands.contains(.buffer($0)) }) { return true }
      stages = matmul.epilogue?.stages ?? []
    default: return false
    }
    return overwrites.contains { state in
      bindings.indices.contains { argument in
        guard bindings[argument] == .buffer(state),
          let written = stages.firstIndex(where: { $0.stores.contains { $0.access.argument == argument } })
        else { return false }
        return stages.suffix(from: written + 1).contains { $0.reads(argument) }
          || stages.contains { $0.readsElsewhere(argument) }
      }
    }
  }
}

extension RowStage {
  /// Whether an instruction loads another element of argument `argument` than the one that is stored there.
  fileprivate func readsElsewhere(_ argument: Int) -> Bool {
    let stored = stores.filter { $0.access.argument == argument }.map(\.access)
    return loads.contains { load in load.argument == argument && !stored.allSatisfy { $0 == load } }
  }
}
