import WaMIMGraph

extension Lowering {
  /// The calls of which those that each sample can go through after a wavelet analysis of the forward pass have become one.
  func sequenced(_ calls: [LoweredCall]) -> [LoweredCall] {
    let (writers, users) = (calls.counts(\.writes), calls.counts(\.buffers))
    var sequences: [CallSequence] = []
    var others: [LoweredCall] = []
    for call in calls.sorted(by: { $0.order < $1.order }) {
      if call.region == .forward, let index = sequences.firstIndex(where: { $0.takes(call, writers: writers) }) {
        sequences[index].insert(call)
      } else if call.region == .forward, case .wavelet(let kernel) = call.kernel.body, kernel.direction == .analysis {
        sequences.append(CallSequence(startingWith: call, in: graph))
      } else {
        others.append(call)
      }
    }
    let kept = Set(graph.roots.map { storage[$0].root })
    return others + sequences.map { $0.merged(users: users, kept: kept) }
  }
}

extension [LoweredCall] {
  /// For each value, how many calls have it among their `values`.
  fileprivate func counts(_ values: (LoweredCall) -> Set<ValueID>) -> [ValueID: Int] {
    flatMap(values).reduce(into: [:]) { $0[$1, default: 0] += 1 }
  }
}

/// Calls that every sample goes through one after the other: a wavelet analysis, those of its approximations, and work on rows of
/// what they leave, such as normalising subbands and bringing them in the order in which a loss reads them.
struct CallSequence {
  /// The calls in the order in which they run.
  private(set) var calls: [LoweredCall]
  private let graph: Graph

  init(startingWith call: LoweredCall, in graph: Graph) {
    calls = [call]
    self.graph = graph
  }

  private var units: Int { calls[0].units }

  /// Whether `call` can be a member: a sample of it needs nothing but the same sample of what is computed here, and what is there before
  /// the first call.
  ///
  /// - Parameter writers: For each computed value, how many calls write to it.
  func takes(_ call: LoweredCall, writers: [ValueID: Int]) -> Bool {
    let computed = call.reads.filter { writers[$0] != nil }
    guard call.member != nil, call.units == units, call.overwrites.isEmpty, !computed.isEmpty,
      computed.allSatisfy({ value in calls.count { $0.writes.contains(value) } == writers[value] })
    else { return false }
    let written = Set(calls.flatMap(\.writtenBuffers)).union(call.writtenBuffers)
    return call.bindings.enumerated().allSatisfy { index, binding in
      guard case .buffer(let root) = binding, written.contains(root) else { return true }
      return call.isSliced(index, graph[root].type.shape.count)
    }
  }

  /// Lets `call` run directly after those that it reads results of, while these are near.
  mutating func insert(_ call: LoweredCall) {
    let last = calls.lastIndex { !$0.writes.isDisjoint(with: call.reads) } ?? calls.count - 1
    calls.insert(call, at: last + 1)
  }

  /// The sequence as one call.
  ///
  /// What it writes and nothing else reads lies in its workspace.
  ///
  /// - Parameters:
  ///   - users: For each buffer, how many calls read or write it.
  ///   - kept: The buffers that are read when all calls have run.
  func merged(users: [ValueID: Int], kept: Set<ValueID>) -> LoweredCall {
    guard calls.count > 1 else { return calls[0] }
    let inside = Set(calls.flatMap(\.writtenBuffers)).filter { root in
      !kept.contains(root) && calls.count { $0.buffers.contains(root) } == users[root] && graph[root].type.element == .float32
    }
    var arguments = ArgumentList(graph, units: units)
    for (binding, argument) in calls.flatMap({ zip($0.bindings, $0.kernel.arguments) }) {
      guard case .buffer(let root) = binding, !inside.contains(root) else { continue }
      _ = arguments.number(of: root, unitStride: argument.unitStride, argument.access)
    }
    let (offsets, count) = workspaceLayout(inside)
    let workspace = arguments.workspace(count)
    let members = calls.compactMap { call in
      let operands = zip(call.bindings, call.kernel.arguments).map { binding, argument in
        switch binding {
        case .workspace: SequenceKernel.Operand(argument: workspace)
        case .buffer(let root):
          offsets[root].map { SequenceKernel.Operand(argument: workspace, workspaceOffset: $0) }
            ?? SequenceKernel.Operand(argument: arguments.number(of: root, unitStride: argument.unitStride, argument.access))
        }
      }
      return call.member?.mapped(to: operands)
    }
    var merged = calls[0]
    merged.kernel = Kernel(arguments: arguments.arguments, body: .sequence(SequenceKernel(members: members)))
    merged.bindings = arguments.bindings
    let writes = Set(calls.flatMap(\.writes))
    merged.reads = Set(calls.flatMap(\.reads)).subtracting(writes)
    merged.writes = writes.subtracting(inside)
    merged.flops = calls.reduce(0) { $0 + $1.flops }
    for call in calls.dropFirst() { merged.provenance.formUnion(call.provenance) }
    return merged
  }

  /// Where in the workspace one sample of each of `buffers` lies, behind what the calls use as their own, and how many elements that
  /// takes together; a buffer reuses the memory of one that is not read any more.
  private func workspaceLayout(_ buffers: Set<ValueID>) -> (offsets: [ValueID: Int], count: Int) {
    let start = calls.flatMap(\.kernel.arguments).filter { $0.access == .workspace }.map(\.count).max() ?? 0
    let buffers = buffers.sorted()
    let requests = buffers.map { root in
      let users = calls.indices.filter { calls[$0].buffers.contains(root) }
      return ArenaPlanner.Request(
        byteCount: graph[root].type.byteCount / units, live: (users.first ?? 0)...(users.last ?? calls.count - 1))
    }
    let planner = ArenaPlanner(requests)
    // Workspaces count in elements, and what lies in this one is float32.
    let elementBytes = ElementType.float32.byteCount
    let offsets = planner.offsets.map { start + $0 / elementBytes }
    return (Dictionary(uniqueKeysWithValues: zip(buffers, offsets)), start + planner.byteCount / elementBytes)
  }
}

extension LoweredCall {
  /// The call's work as a member of a sequence, or nil where it cannot be one.
  fileprivate var member: SequenceKernel.Member? {
    switch kernel.body {
    case .wavelet(let wavelet): .wavelet(wavelet)
    case .rows(let rows): .rows(rows)
    default: nil
    }
  }

  /// The buffers that the call reads or writes.
  fileprivate var buffers: Set<ValueID> {
    Set(bindings.compactMap { if case .buffer(let root) = $0 { root } else { nil } })
  }

  /// The buffers that the call writes to.
  fileprivate var writtenBuffers: [ValueID] {
    zip(bindings, kernel.arguments).compactMap { binding, argument in
      guard case .buffer(let root) = binding, argument.access != .read else { return nil }
      return root
    }
  }
}

extension SequenceKernel {
  /// Where a member finds in the sequence what was an argument of its own.
  fileprivate struct Operand {
    var argument: Int
    /// Elements from the start of the workspace, where it is a buffer that lies there: one sample's.
    var workspaceOffset: Int?
  }
}

extension SequenceKernel.Member {
  /// The member with its arguments, by their numbers, at `operands`.
  fileprivate func mapped(to operands: [SequenceKernel.Operand]) -> SequenceKernel.Member {
    switch self {
    case .wavelet(let wavelet):
      var result = wavelet.mappingPlanes { planes in
        var result = planes
        result.argument = operands[planes.argument].argument
        result.offset += operands[planes.argument].workspaceOffset ?? 0
        return result
      }
      result.workspace = operands[wavelet.workspace].argument
      return .wavelet(result)
    case .rows(let rows):
      return .rows(
        rows.mappingAccesses { access in
          var result = access.mappingArguments { operands[$0].argument }
          if let offset = operands[access.argument].workspaceOffset {
            result.offset += offset
            result.strides[0] = 0
          }
          return result
        })
    }
  }
}
