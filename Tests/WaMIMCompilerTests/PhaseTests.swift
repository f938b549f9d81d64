import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMTraining

/// Where threads meet: no sooner than one needs what others have done.
struct PhaseTests {
  private static let models = WaMIMModel.variety + [WaMIMModel(), .tiny]

  private func program(_ model: WaMIMModel) throws -> Program {
    try Compilation().program(for: Model(model.graph()), text: "", compiler: "test")
  }

  /// A thread takes its samples through all layers of the encoder, one after the other, before it meets any other thread.
  @Test(arguments: models) func samplesGoThroughWholeLayers(model: WaMIMModel) throws {
    let program = try program(model)
    // What only changes states has no layers.
    let updates = [ScheduleRole.update, .average].map(\.rawValue)
    for schedule in program.schedules where !updates.contains(schedule.name) {
      let groups = schedule.phases.flatMap(\.groups).map { group in
        (units: group.units, layers: group.calls.compactMap(program.encoderLayer))
      }.filter { !$0.layers.isEmpty }
      try #require(groups.count == 1, "\(schedule.name): \(groups.map { Set($0.layers).sorted() })")
      #expect(groups[0].units == model.batch)
      #expect(Set(groups[0].layers) == Set(0..<model.depth), "\(schedule.name)")
      #expect(groups[0].layers == groups[0].layers.sorted(), "\(schedule.name)")
    }
  }

  /// Of any two phases one after the other, the later one has a call that could not have been made within the earlier one.
  @Test(arguments: models) func everyPhaseWaitsForTheOneBefore(model: WaMIMModel) throws {
    let program = try program(model)
    for (schedule, described) in zip(program.schedules, program.manifest.schedules) {
      let phases = schedule.phases.map { $0.groups.map(program.accesses) }
      for (index, (earlier, later)) in zip(phases, phases.dropFirst()).enumerated() {
        let waits = later.contains { group in
          group.indices.contains { call in
            // States change in a later phase than the one in which the loss is known.
            if described.lossPhase == index, group[call].written.contains(where: \.isState) { return true }
            return mustWait(group[call], following: group[..<call], for: earlier)
          }
        }
        #expect(waits, "\(schedule.name): phase \(index + 1) could be joined with the one before")
      }
    }
  }

  /// Whether a call needs what other units than its own have done in an earlier phase, or what more than one of its groups has.
  ///
  /// - Parameter own: The calls that each of its units follows within its own phase.
  private func mustWait(_ call: Accesses, following own: ArraySlice<Accesses>, for groups: [[Accesses]]) -> Bool {
    // What its own phase has written may lie where something older was.
    let read = call.read.filter { read in !own.contains { $0.written.contains { $0.overlaps(read) } } }
    let states = call.written.filter(\.isState)
    let needs = groups.map { group in
      group.flatMap { earlier in areUnitByUnit(read, earlier.written) + areUnitByUnit(states, earlier.read) }
    }.filter { !$0.isEmpty }
    return needs.count > 1 || needs.joined().contains(false)
  }

  /// For each pair of arrays that share memory, whether their units do, too.
  private func areUnitByUnit(_ arrays: [SharedArray], _ others: [SharedArray]) -> [Bool] {
    arrays.flatMap { array in others.filter { $0.overlaps(array) }.map { $0.isUnitByUnit(with: array) } }
  }
}

/// What the units of a call access of the memory that threads share.
private struct Accesses {
  var read: [SharedArray]
  var written: [SharedArray]
}

/// An array in memory that threads share, as a call's units access it.
private struct SharedArray {
  var placement: Placement
  var units: Int
  /// The bytes that all units together access.
  var bytes: Range<Int>
  /// Whether it is a parameter, or what the optimiser keeps from step to step.
  var isState: Bool

  func overlaps(_ other: SharedArray) -> Bool { placement.storage == other.placement.storage && bytes.overlaps(other.bytes) }

  /// Whether each unit accesses what the same unit of the other call does, and no other one.
  func isUnitByUnit(with other: SharedArray) -> Bool {
    units == other.units && (units == 1 || (placement == other.placement && placement.unitStride > 0))
  }
}

extension Program {
  /// The layer of the encoder that a call of the forward pass belongs to, or nil.
  fileprivate func encoderLayer(of call: Call) -> Int? {
    let scope = manifest.calls[call.description].name.split(separator: ".")
    return scope.count > 1 && scope[0] == "blocks" ? Int(scope[1]) : nil
  }

  /// What each call of `group` accesses.
  fileprivate func accesses(of group: Group) -> [Accesses] {
    group.calls.map { call in
      let arguments = zip(kernels[call.kernel.index].arguments, call.arguments).filter { $1.storage != .scratch }
      func arrays(_ accesses: Set<KernelArgument.Access>) -> [SharedArray] {
        arguments.filter { accesses.contains($0.0.access) }.map { array($1, $0.count, units: group.units) }
      }
      return Accesses(read: arrays([.read, .update]), written: arrays([.write, .update]))
    }
  }

  /// The array at `placement` of which each unit accesses `count` elements.
  private func array(_ placement: Placement, _ count: Int, units: Int) -> SharedArray {
    let bytes = placement.offset..<placement.offset + placement.unitStride * (units - 1) + count * ElementType.float32.byteCount
    let states = manifest.states.map(\.tensor)
    return SharedArray(
      placement: placement, units: units, bytes: bytes,
      isState: placement.storage == .arena && states.contains { bytes.overlaps($0.offset..<$0.offset + 4 * $0.count) })
  }
}
