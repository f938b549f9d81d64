import CProgram
import Glibc
import Synchronization
import WaMIMManifest

/// A program with its memory and threads: tensors can be read and written by name, and schedules run.
package final class TrainedModel {
  package let program: Program
  package let executor: Executor
  /// What the process takes at most.
  package let memoryPlan: MemoryPlan
  private let memory: ProgramMemory
  /// Whether schedules that use the accumulators can be run.
  private let accumulates: Bool
  /// Whether nothing has been written to states yet, so that they are zero.
  private var isFresh = true

  /// Checks the processor and the memory, maps the arena, copies the constants and starts the threads.
  ///
  /// - Parameters:
  ///   - schedules: What will be run; memory is checked for the largest of them.
  ///   - sources: The sources of images that are read meanwhile, with `loaders` threads each.
  ///   - indexBytes: What the sources hold to find their images.
  ///   - orderBytes: What the orders will take in which images are shown.
  ///   - measuring: Whether to measure each kernel's time.
  package init(
    program: Program, schedules: [ScheduleRole], threads: Int, sources: Int = 0, loaders: Int = 0, indexBytes: Int = 0,
    orderBytes: Int = 0, measuring: Bool = false
  ) throws(TrainerError) {
    try ProcessorCheck.check(program.manifest.processor)
    var accumulates = false
    for role in schedules {
      let schedule = program.manifest.schedules[try program.schedule(role)]
      accumulates = accumulates || schedule.usesAccumulators
    }
    memoryPlan = program.manifest.memoryPlan(
      schedules: schedules, threads: threads, sources: sources, loaders: loaders, indexBytes: indexBytes + orderBytes)
    try MemoryCheck.check(memoryPlan, held: indexBytes)
    self.program = program
    self.accumulates = accumulates
    memory = try ProgramMemory(program, accumulates: accumulates)
    for constant in program.constants {
      guard let bytes = constant.bytes else { continue }
      (memory.arena.base + Int(constant.offset)).copyMemory(from: bytes, byteCount: Int(constant.byte_count))
    }
    executor = try Executor(program: program, memory: memory, threadCount: threads, measuring: measuring)
  }

  /// A timeline with room for `steps` steps on `batches` batches each.
  package func makeTimeline(batches: Int, steps: Int) throws(TrainerError) -> Timeline {
    var runs: [(schedule: Int, count: Int)] = []
    for run in program.manifest.stepRuns(batches: batches) {
      runs.append((try program.schedule(run.schedule), steps * run.count))
    }
    return try executor.makeTimeline(runs: runs)
  }

  deinit {
    executor.stop()
  }

  /// The elements of `tensor`, in place.
  package func values(_ tensor: Manifest.Tensor) -> UnsafeMutableBufferPointer<Float> {
    let start = (memory.arena.base + tensor.offset).bindMemory(to: Float.self, capacity: tensor.count)
    return UnsafeMutableBufferPointer(start: start, count: tensor.count)
  }

  /// The bytes of `tensor`, in place.
  package func bytes(_ tensor: Manifest.Tensor) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: memory.arena.base + tensor.offset, count: tensor.byteCount)
  }

  /// The bytes of `tensor`, one of the manifest's accumulators, in place; they are there where a schedule was announced that uses them.
  package func accumulatedBytes(_ tensor: Manifest.Tensor) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: memory.accumulators.base + tensor.offset, count: accumulates ? tensor.byteCount : 0)
  }

  /// Forgets gradients that have been added up.
  package func clearAccumulators() {
    if accumulates { memset(memory.accumulators.base, 0, program.accumulatorBytes) }
  }

  /// Gives every state its first value, on as many threads as kernels have.
  package func initializeStates(
    seed: UInt64, where isIncluded: (Manifest.State) -> Bool = { _ in true }
  ) throws(TrainerError) {
    // Fresh memory is zero, and large moments that stay untouched until the first step make for a quick start.
    let states = program.manifest.states.filter { isIncluded($0) && !(isFresh && $0.initializer == .constant(0)) }
    isFresh = false
    let filler = StateFiller(states: states, buffers: states.map { values($0.tensor) }, seed: seed)
    var helpers: [WorkerThread] = []
    defer { for helper in helpers { helper.join() } }
    for index in 1..<max(1, min(executor.threadCount, states.count)) {
      helpers.append(try WorkerThread(name: "initialize \(index)") { filler.work() })
    }
    filler.work()
  }

  /// Fills the noise of a round of `step` with independent uniform numbers: those that its samples have among all of the step.
  package func fillNoise(seed: UInt64, step: Int, round: Int) {
    for (index, input) in program.manifest.inputs.enumerated() where input.binding == .random {
      let numbers = RandomNumbers(seed: seed, purpose: .noise, UInt64(step), UInt64(index))
      let values = values(input.tensor)
      for position in values.indices { values[position] = numbers.uniform(at: UInt64(round * values.count + position)) }
    }
  }

  /// Runs a schedule, and says whether it came to its end: one that trains stops where its loss is not finite, before it
  /// changes a state.
  @discardableResult
  package func run(_ role: ScheduleRole) throws(TrainerError) -> Bool {
    executor.run(schedule: try prepared(role))
  }

  /// Runs a schedule on one thread, and returns the first call that made a number that is not finite, which ends it.
  package func check(_ role: ScheduleRole) throws(TrainerError) -> (call: Manifest.Call, phase: Int)? {
    guard let result = executor.check(schedule: try prepared(role)) else { return nil }
    let calls = program.manifest.calls
    let unknown = Manifest.Call(name: "call \(result.description)", kind: "?", kernel: 0, flops: 0, productFlops: 0, bytes: 0)
    return (result.description < calls.count ? calls[result.description] : unknown, result.phase)
  }

  /// The index of the schedule for `role`, which is about to be run.
  private func prepared(_ role: ScheduleRole) throws(TrainerError) -> Int {
    let index = try program.schedule(role)
    guard accumulates || !program.manifest.schedules[index].usesAccumulators else {
      throw TrainerError("the schedule `\(role.rawValue)` has no memory to add up gradients in")
    }
    isFresh = false
    return index
  }

  /// The tensor that the schedule `schedule` leaves under `name`.
  package func output(_ name: String, of schedule: ScheduleRole) throws(TrainerError) -> Manifest.Tensor {
    let outputs = program.manifest.schedules[try program.schedule(schedule)].outputs
    guard let output = outputs.first(where: { $0.tensor.name == name }) else {
      throw TrainerError("the schedule `\(schedule.rawValue)` of this program has no output `\(name)`")
    }
    return output.tensor
  }

  /// The first element of the output `name` of `schedule`.
  package func scalar(_ name: String, of schedule: ScheduleRole) throws(TrainerError) -> Float {
    let values = values(try output(name, of: schedule))
    guard let first = values.first else {
      throw TrainerError("the output `\(name)` of the schedule `\(schedule.rawValue)` is empty")
    }
    return first
  }
}

/// States that threads fill with their first values, each taking the next one that is left.
private final class StateFiller: @unchecked Sendable {
  private let states: [Manifest.State]
  private let buffers: [UnsafeMutableBufferPointer<Float>]
  private let seed: UInt64
  private let next = Atomic<Int>(0)

  init(states: [Manifest.State], buffers: [UnsafeMutableBufferPointer<Float>], seed: UInt64) {
    self.states = states
    self.buffers = buffers
    self.seed = seed
  }

  /// Fills states until none are left.
  func work() {
    while true {
      let index = next.add(1, ordering: .relaxed).oldValue
      guard index < states.count else { return }
      InitialValues.fill(buffers[index], of: states[index].tensor.name, by: states[index].initializer, seed: seed)
    }
  }
}
