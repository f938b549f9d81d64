import CProgram
import WaMIMManifest

/// Looks at the memory that calls of a schedule touch for numbers that are not finite.
///
/// Calls do not say how far their arguments reach. An argument whose units lie one after the other is looked at for the units of
/// a chunk; any other, up to where the next known tensor begins.
struct ValueCheck {
  private let bases: ProgramMemory.Bases
  /// For each memory, where tensors begin in it, in ascending order, and where it ends.
  private let bounds: [UInt32: [Int]]

  /// - Parameter tensors: What is known to lie in the arena.
  init(_ schedule: wamim_schedule, tensors: [Manifest.Tensor], of program: Program, at bases: ProgramMemory.Bases) {
    self.bases = bases
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

  /// For each argument of `call`, whether all numbers that it leads to in the units of `task` are finite.
  func findings(_ call: wamim_call, task: SchedulePlan.Task, units: Int) -> [Bool] {
    UnsafeBufferPointer(start: call.arguments, count: Int(call.argument_count)).map { argument in
      let base = bases[argument.storage]
      let offset = Int(argument.offset)
      let end = Self.firstBound(after: offset, in: bounds[argument.storage] ?? [])
      let stride = Int(argument.unit_stride)
      guard stride > 0, stride * units >= end - offset else {
        return Self.isFinite(base + offset, byteCount: end - offset)
      }
      return Self.isFinite(base + offset + Int(task.begin) * stride, byteCount: Int(task.end - task.begin) * stride)
    }
  }

  /// Whether the numbers of 32 bits from `start` on are all finite.
  static func isFinite(_ start: UnsafeRawPointer, byteCount: Int) -> Bool {
    // A finite number times zero is zero, and any other is not a number, as is every sum with it.
    var sums = SIMD8<Float>.zero
    let count = byteCount / 4
    let values = UnsafeBufferPointer(start: start.assumingMemoryBound(to: Float.self), count: count)
    var index = 0
    while index + 8 <= count {
      sums += (start + 4 * index).loadUnaligned(as: SIMD8<Float>.self) * 0
      index += 8
    }
    var sum = sums.sum()
    while index < count {
      sum += values[index] * 0
      index += 1
    }
    return sum == 0
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
