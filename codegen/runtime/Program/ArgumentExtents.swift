import CProgram
import WaMIMManifest

/// What memory calls of a schedule touch, as far as can be known.
///
/// Calls do not say how far their arguments reach. An argument whose units lie one after the other reaches over the units of a chunk; any
/// other, up to where the next known tensor begins.
struct ArgumentExtents {
  /// A range of a memory.
  struct Extent {
    /// The memory, as `wamim_argument.storage` numbers it.
    var storage: UInt32
    var offset: Int
    var byteCount: Int
  }

  /// For each memory, where tensors begin in it, in ascending order, and where it ends.
  private let bounds: [UInt32: [Int]]

  /// - Parameter tensors: What is known to lie in the arena.
  init(_ schedule: wamim_schedule, tensors: [Manifest.Tensor], of program: Program) {
    var bounds: [UInt32: Set<Int>] = [
      UInt32(WAMIM_STORAGE_ARENA): Set(tensors.map(\.offset) + [program.arenaBytes]),
      UInt32(WAMIM_STORAGE_SCRATCH): [program.scratchBytes],
      UInt32(WAMIM_STORAGE_ACCUMULATORS): [program.accumulatorBytes],
    ]
    for group in schedule.allPhases.lazy.flatMap(\.allGroups) {
      for argument in group.arguments { bounds[argument.storage, default: []].insert(Int(argument.offset)) }
    }
    self.bounds = bounds.mapValues { $0.sorted() }
  }

  /// What each argument of `call` leads to in the units `begin..<end` of all `units`.
  func of(_ call: wamim_call, begin: Int, end: Int, units: Int) -> [Extent] {
    UnsafeBufferPointer(start: call.arguments, count: Int(call.argument_count)).map { argument in
      let offset = Int(argument.offset)
      let bound = Self.firstBound(after: offset, in: bounds[argument.storage] ?? [])
      let stride = Int(argument.unit_stride)
      guard stride > 0, stride * units >= bound - offset else {
        return Extent(storage: argument.storage, offset: offset, byteCount: bound - offset)
      }
      return Extent(storage: argument.storage, offset: offset + begin * stride, byteCount: (end - begin) * stride)
    }
  }

  private static func firstBound(after offset: Int, in bounds: [Int]) -> Int {
    var (low, high) = (0, bounds.count)
    while low < high {
      let middle = (low + high) / 2
      if bounds[middle] <= offset { low = middle + 1 } else { high = middle }
    }
    return low < bounds.count ? bounds[low] : offset
  }
}

extension Program {
  /// The ranges of the arena that the schedule of index `schedule` computes in: all but states, inputs and constants.
  func temporaries(ofSchedule schedule: Int) -> [Range<Int>] {
    let tensors = manifest.states.map(\.tensor) + manifest.inputs.map(\.tensor)
    let kept =
      tensors.map { $0.offset..<$0.offset + $0.byteCount }
      + constants.map { Int($0.offset)..<Int($0.offset) + Int($0.byte_count) }
    let end = manifest.schedules[schedule].arenaBytes
    var start = 0
    var ranges: [Range<Int>] = []
    for range in kept.sorted(by: { $0.lowerBound < $1.lowerBound }) + [end..<end] {
      if min(range.lowerBound, end) > start { ranges.append(start..<min(range.lowerBound, end)) }
      start = max(start, range.upperBound)
    }
    return ranges
  }
}
