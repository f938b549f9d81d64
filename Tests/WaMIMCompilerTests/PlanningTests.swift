import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph

/// Plans of memory and of work: nothing overlaps that must not.
struct PlanningTests {
  @Test(arguments: 1...5 as ClosedRange<UInt64>) func arraysThatLiveTogetherDoNotOverlap(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let requests = (0..<200).map { _ in
      let start = Int.random(in: 0..<50, using: &generator)
      return ArenaPlanner.Request(
        byteCount: Int.random(in: 1...5000, using: &generator), live: start...Int.random(in: start..<60, using: &generator))
    }
    let planner = ArenaPlanner(requests)
    for (index, first) in requests.enumerated() {
      let range = planner.offsets[index]..<planner.offsets[index] + first.byteCount
      #expect(range.lowerBound % ArenaPlanner.alignment == 0 && range.upperBound <= planner.byteCount)
      for other in requests.indices where other > index && requests[other].live.overlaps(first.live) {
        let others = planner.offsets[other]..<planner.offsets[other] + requests[other].byteCount
        #expect(!range.overlaps(others), "seed \(seed): requests \(index) and \(other)")
      }
    }
    let largest = (0..<60).map { time in requests.reduce(0) { $1.live.contains(time) ? $0 + $1.byteCount : $0 } }.max() ?? 0
    #expect(planner.byteCount >= largest)
    #expect(planner.byteCount < 2 * largest, "memory is reused")
  }

  /// No group of a phase writes what another group of the same phase touches, so that threads can run them side by side.
  @Test(arguments: WaMIMModel.variety + [WaMIMModel()]) func groupsOfAPhaseDoNotMeet(model: WaMIMModel) throws {
    let program = try Compilation().program(for: model.graph(), text: "", compiler: "test")
    for schedule in program.schedules {
      for (index, phase) in schedule.phases.enumerated() {
        let touched = phase.groups.map { group in group.calls.flatMap { ranges(of: $0, group.units, program) } }
        for (first, others) in touched.enumerated() {
          let written = others.filter(\.isWritten)
          for second in touched.indices where second != first {
            let meets = written.contains { write in touched[second].contains { $0.bytes.overlaps(write.bytes) } }
            #expect(!meets, "\(schedule.name), phase \(index), groups \(first) and \(second)")
          }
        }
      }
    }
  }

  @Test(arguments: WaMIMModel.variety + [WaMIMModel()]) func everythingLiesWithinItsMemory(model: WaMIMModel) throws {
    let program = try Compilation().program(for: model.graph(), text: "", compiler: "test")
    for schedule in program.schedules {
      for group in schedule.phases.flatMap(\.groups) {
        #expect((1...max(1, group.units)).contains(group.tiles))
        for call in group.calls {
          for range in ranges(of: call, group.units, program) { #expect(range.bytes.upperBound <= program.arenaBytes) }
        }
      }
    }
  }

  private struct Touched {
    var bytes: Range<Int>
    var isWritten: Bool
  }

  /// The bytes of the arena that a call touches in all its units.
  private func ranges(of call: Call, _ units: Int, _ program: Program) -> [Touched] {
    zip(call.arguments, program.kernels[call.kernel.index].arguments).compactMap { placement, argument in
      guard placement.storage == .arena else { return nil }
      let elements =
        argument.unitStride > 0 ? argument.unitStride * (units - 1) + min(argument.count, argument.unitStride) : argument.count
      return Touched(
        bytes: placement.offset..<placement.offset + elements * ElementType.byteCount,
        isWritten: argument.access == .write || argument.access == .update)
    }
  }
}
