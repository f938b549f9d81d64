import CPlatform
import CProgram
import Glibc
import Synchronization

/// Runs schedules of a program on threads that start once and then work through every phase together.
///
/// A phase is a list of tasks, each one chunk of one group; threads take them from a counter, so who runs a chunk changes from run to
/// run, but what a chunk computes does not. The thread that calls `run` is one of the workers.
final class Executor: @unchecked Sendable {
  /// Threads that run kernels, the caller's included.
  let threadCount: Int
  /// Where to count the time of each kind of call, or nil; changed between runs only.
  private(set) var times: KernelTimeCounters?
  /// Where to note each call, or nil; to be changed between runs only.
  var timeline: Timeline?

  private let program: Program
  private let memory: ProgramMemory
  private let scratch: [MappedMemory]
  private let plans: [SchedulePlan]
  private let guards: [LossGuard?]
  private let barrier: Barrier
  private let nextTask = Atomic<Int>(0)
  private var threads: [WorkerThread] = []
  private var job = Job.stop
  /// Where the counter of tasks stands when the next phase begins.
  private var firstTask = 0

  private enum Job {
    case run(schedule: Int, firstTask: Int)
    case forEach(count: Int, firstTask: Int, body: @Sendable (Int) -> Void)
    case stop
  }

  /// Starts `threadCount - 1` threads beside the caller's, each with scratch memory of its own.
  init(program: Program, memory: ProgramMemory, threadCount: Int) throws(TrainerError) {
    self.program = program
    self.memory = memory
    self.threadCount = threadCount
    guards = program.manifest.schedules.map { LossGuard($0) }
    plans = program.schedules.map { SchedulePlan($0, program.manifest, threads: threadCount) }
    barrier = Barrier(threads: threadCount, processors: Int(wamim_available_processors()))
    var scratch: [MappedMemory] = []
    for _ in 0..<threadCount {
      scratch.append(try MappedMemory(byteCount: program.scratchBytes, for: "a thread's scratch memory"))
    }
    self.scratch = scratch
    wamim_limit_blas_to_calling_thread()
    for thread in 1..<max(threadCount, 1) {
      threads.append(try WorkerThread(name: "worker \(thread)") { self.work(as: thread) })
    }
  }

  /// Ends the threads; no schedule can run afterwards.
  func stop() {
    if threads.isEmpty { return }
    job = .stop
    barrier.wait()
    for thread in threads { thread.join() }
    threads = []
  }

  /// Runs the schedule of index `schedule`, and says whether it came to its end.
  ///
  /// A schedule that changes states or accumulators is left where its loss is not finite, before it changes a state.
  ///
  /// - Parameter progress: Told of every phase that has ended.
  func run(schedule: Int, telling progress: PhaseProgress? = nil) -> Bool {
    // The thread is the caller's, whose other numbers keep their meaning.
    let control = wamim_flush_denormals()
    defer { wamim_restore_denormals(control) }
    let firstTask = firstTask
    job = .run(schedule: schedule, firstTask: firstTask)
    barrier.wait()
    let (next, isComplete) = runPhases(of: schedule, firstTask: firstTask, thread: 0, telling: progress)
    self.firstTask = next
    return isComplete
  }

  /// Calls `body` for each index below `count`, on all threads, which take one after the other; returns when all calls have.
  func forEach(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    // On the caller's thread as on the others.
    let control = wamim_flush_denormals()
    defer { wamim_restore_denormals(control) }
    if count <= 1 || threadCount == 1 { return (0..<count).forEach(body) }
    job = .forEach(count: count, firstTask: firstTask, body: body)
    barrier.wait()
    firstTask = takeEach(count, firstTask: firstTask, body: body)
    job = .stop
  }

  /// Takes indices until there are none left, and returns where the counter then stands.
  private func takeEach(_ count: Int, firstTask: Int, body: (Int) -> Void) -> Int {
    while true {
      let index = nextTask.add(1, ordering: .relaxed).oldValue - firstTask
      guard index < count else { break }
      body(index)
    }
    barrier.wait()
    return firstTask + count + threadCount
  }

  /// Runs the schedule of index `schedule` on the calling thread alone, up to the first call that makes a number that is not finite
  /// where there was none.
  ///
  /// - Returns: That call, or nil where the schedule came to its end.
  func check(schedule: Int) -> NonFiniteResult? {
    let control = wamim_flush_denormals()
    defer { wamim_restore_denormals(control) }
    let manifest = program.manifest
    let outputs = manifest.schedules[schedule].outputs.map(\.tensor)
    let bases = memory.bases(scratch: scratch[0])
    let extents = ArgumentExtents(
      program.schedules[schedule], tensors: manifest.states.map(\.tensor) + manifest.inputs.map(\.tensor) + outputs,
      of: program)
    func isFinite(_ extent: ArgumentExtents.Extent) -> Bool {
      FiniteCheck.isFinite(bases[extent.storage] + extent.offset, byteCount: extent.byteCount)
    }
    let plan = plans[schedule]
    clearTemporaries(of: schedule)
    return withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: max(plan.maximumArguments, 1)) { pointers in
      for (index, phase) in plan.phases.enumerated() {
        for number in 0..<phase.taskCount {
          let task = phase.task(number)
          for call in task.calls {
            let touched = extents.of(call, begin: Int(task.begin), end: Int(task.end), units: task.units)
            let before = touched.map(isFinite)
            make(call, task: task, bases: bases, pointers: pointers)
            let after = touched.map(isFinite)
            if zip(before, after).contains(where: { $0 && !$1 }) {
              return NonFiniteResult(phase: index, description: Int(call.description))
            }
          }
        }
      }
      return nil
    }
  }

  /// Zeroes all that a schedule computes before it is used, as an earlier run may have left numbers there that are not finite.
  private func clearTemporaries(of schedule: Int) {
    for range in program.temporaries(ofSchedule: schedule) { memset(memory.arena.base + range.lowerBound, 0, range.count) }
    memset(scratch[0].base, 0, program.scratchBytes)
  }

  /// Counts the time of each kind of call from now on, beginning at zero.
  func startMeasuring() {
    times = KernelTimeCounters(threads: threadCount, descriptions: program.manifest.calls.count)
  }

  /// A timeline with room for all of `runs`: how often schedules, each named by its index, are to run.
  func makeTimeline(runs: [(schedule: Int, count: Int)]) throws(TrainerError) -> Timeline {
    let capacity = runs.reduce(0) { $0 + $1.count * (plans[$1.schedule].callCount + plans[$1.schedule].phases.count) }
    return try Timeline(threads: threadCount, capacity: capacity)
  }

  private func work(as thread: Int) {
    wamim_flush_denormals()
    while true {
      barrier.wait()
      switch job {
      case .run(let schedule, let firstTask): _ = runPhases(of: schedule, firstTask: firstTask, thread: thread)
      case .forEach(let count, let firstTask, let body): _ = takeEach(count, firstTask: firstTask, body: body)
      case .stop: return
      }
    }
  }

  /// Takes tasks of one phase after another, and returns where the counter then stands, and whether all phases ran.
  ///
  /// Each thread finds the end of each phase once, by taking a number past its last task; so the counter's value at the start of
  /// the next phase is known without resetting it.
  private func runPhases(
    of schedule: Int, firstTask: Int, thread: Int, telling progress: PhaseProgress? = nil
  ) -> (next: Int, isComplete: Bool) {
    let plan = plans[schedule]
    let lossGuard = guards[schedule]
    let notes = ThreadNotes(times: times, timeline: timeline, thread: thread)
    var first = firstTask
    var isComplete = true
    let bases = memory.bases(scratch: scratch[thread])
    withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: max(plan.maximumArguments, 1)) { pointers in
      for (index, phase) in plan.phases.enumerated() {
        while true {
          let task = nextTask.add(1, ordering: .relaxed).oldValue - first
          guard task < phase.taskCount else { break }
          run(phase.task(task), bases: bases, pointers: pointers, notes: notes, phase: phase.number)
        }
        first += phase.taskCount + threadCount
        if let notes { notes.wait(phase: phase.number) { barrier.wait() } } else { barrier.wait() }
        progress?.note(index + 1)
        if let lossGuard, lossGuard.phase == index, !loss(at: lossGuard).isFinite {
          isComplete = false
          // Nobody may write to the loss before all threads have read it.
          barrier.wait()
          return
        }
      }
    }
    // All notes are made when the caller reads them.
    if notes != nil { barrier.wait() }
    return (first, isComplete)
  }

  private func loss(at lossGuard: LossGuard) -> Float {
    (memory.arena.base + lossGuard.offset).load(as: Float.self)
  }

  /// Makes every call of one chunk.
  private func run(
    _ task: SchedulePlan.Task, bases: ProgramMemory.Bases,
    pointers: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>, notes: ThreadNotes?, phase: Int
  ) {
    guard let notes else {
      for call in task.calls { make(call, task: task, bases: bases, pointers: pointers) }
      return
    }
    var start = Clock.nanoseconds
    for call in task.calls {
      make(call, task: task, bases: bases, pointers: pointers)
      let end = Clock.nanoseconds
      notes.call(Int(call.description), from: start, to: end, task: task, phase: phase)
      start = end
    }
  }

  /// Makes one call of a chunk.
  @inline(__always)
  private func make(
    _ call: wamim_call, task: SchedulePlan.Task, bases: ProgramMemory.Bases,
    pointers: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>
  ) {
    for index in 0..<Int(call.argument_count) {
      let argument = call.arguments[index]
      pointers[index] =
        bases[argument.storage] + Int(truncatingIfNeeded: argument.offset &+ UInt64(task.begin) &* argument.unit_stride)
    }
    call.function(pointers.baseAddress, task.begin, task.end)
  }
}
