import CProgram
import WaMIMManifest

/// A schedule with its tasks numbered: what threads look up when they have taken a number.
struct SchedulePlan {
  /// One chunk of one group.
  struct Task {
    let calls: UnsafeBufferPointer<wamim_call>
    let begin: Int64
    let end: Int64
    /// The units of the whole group.
    let units: Int
    /// The chunk's number in its group.
    let chunk: Int
  }

  /// The groups of a phase, the most expensive chunks first.
  struct Phase {
    /// Each group, and the number of tasks up to its end.
    fileprivate let groups: [(group: wamim_group, taskEnd: Int)]
    let taskCount: Int
    /// The number of the compiled phase that these groups are of.
    let number: Int

    /// The task of number `index`.
    @inline(__always)
    func task(_ index: Int) -> Task {
      var position = 0
      while groups[position].taskEnd <= index { position += 1 }
      let group = groups[position].group
      let chunk = UInt64(index - (position == 0 ? 0 : groups[position - 1].taskEnd))
      return Task(
        calls: UnsafeBufferPointer(start: group.calls, count: Int(group.call_count)),
        begin: Int64(chunk * group.units / UInt64(group.chunks)),
        end: Int64((chunk + 1) * group.units / UInt64(group.chunks)), units: Int(group.units), chunk: Int(chunk))
    }
  }

  let phases: [Phase]
  /// The most arguments that a call of the schedule has.
  let maximumArguments: Int

  /// Numbers the tasks of `schedule` for `threads` threads; `manifest` says what they cost, and whether they can be cut.
  init(_ schedule: wamim_schedule, _ manifest: Manifest, threads: Int) {
    var maximumArguments = 0
    phases = schedule.allPhases.enumerated().map { number, phase in
      let planned = phase.allGroups.filter { $0.chunks > 0 }
      // A BLAS may round a row's sums in another way when a call has fewer rows.
      let groups = manifest.callsBLAS ? planned : planned.map { Self.cut($0, for: threads) }
      for group in groups {
        for call in UnsafeBufferPointer(start: group.calls, count: Int(group.call_count)) {
          maximumArguments = max(maximumArguments, Int(call.argument_count))
        }
      }
      let costs = groups.map { Self.costOfChunk($0, calls: manifest.calls) }
      // Ties keep the compiler's order.
      let order = groups.indices.sorted { (-costs[$0], $0) < (-costs[$1], $1) }
      var end = 0
      let numbered = order.map { index in
        end += Int(groups[index].chunks)
        return (group: groups[index], taskEnd: end)
      }
      return Phase(groups: numbered, taskCount: end, number: number)
    }
    self.maximumArguments = maximumArguments
  }

  /// Calls in one run of the schedule, each chunk's counted on its own.
  var callCount: Int {
    phases.reduce(0) { $0 + $1.groups.reduce(0) { $0 + Int($1.group.call_count) * Int($1.group.chunks) } }
  }

  /// The group with as many chunks as `threads` threads can share evenly, at least those that it was planned with.
  ///
  /// A unit's result does not depend on the chunk that it is in, and smaller chunks need less scratch memory.
  private static func cut(_ group: wamim_group, for threads: Int) -> wamim_group {
    guard group.chunks > 1 else { return group }
    let threads = UInt64(max(threads, 1))
    var group = group
    let even = (UInt64(group.chunks) + threads - 1) / threads * threads
    group.chunks = UInt32(clamping: max(UInt64(group.chunks), min(even, group.units)))
    return group
  }

  /// A rough cost of one chunk, in floating-point operations: a byte moved takes about as long as four of them.
  private static func costOfChunk(_ group: wamim_group, calls: [Manifest.Call]) -> Double {
    let total = UnsafeBufferPointer(start: group.calls, count: Int(group.call_count)).reduce(0.0) { sum, call in
      guard Int(call.description) < calls.count else { return sum }
      let description = calls[Int(call.description)]
      return sum + Double(description.flops) + 4 * Double(description.bytes)
    }
    return total / Double(group.chunks)
  }
}
