import CPlatform
import CProgram
import Glibc
import Synchronization

/// Runs schedules of a program on threads that start once and then work through every phase together.
///
/// A phase is a list of tasks, each one tile of one group; threads take them from a counter, so who runs a tile changes from run to
/// run, but what a tile computes does not. The thread that calls `run` is one of the workers.
package final class Executor: @unchecked Sendable {
  /// Threads that run kernels, the caller's included.
  package let threadCount: Int
  /// How long each kind of call has taken, where the executor was told to measure it.
  package let times: KernelTimes?

  private let program: Program
  private let arena: MappedMemory
  private let scratch: [MappedMemory]
  private let plans: [SchedulePlan]
  private let barrier: Barrier
  private let nextTask = Atomic<Int>(0)
  private var threads: [WorkerThread] = []
  private var job = Job.stop
  /// Where the counter of tasks stands when the next phase begins.
  private var firstTask = 0

  private enum Job {
    case run(schedule: Int, firstTask: Int)
    case stop
  }

  /// Starts `threadCount - 1` threads beside the caller's, each with scratch memory of its own.
  package init(program: Program, arena: MappedMemory, threadCount: Int, measuring: Bool = false) throws(TrainerError) {
    self.program = program
    self.arena = arena
    self.threadCount = threadCount
    plans = program.schedules.map { SchedulePlan($0, calls: program.manifest.calls) }
    barrier = Barrier(threads: threadCount, processors: Int(wamim_available_processors()))
    var scratch: [MappedMemory] = []
    for _ in 0..<threadCount {
      scratch.append(try MappedMemory(byteCount: program.scratchBytes, for: "a thread's scratch memory"))
    }
    self.scratch = scratch
    times = measuring ? KernelTimes(threads: threadCount, descriptions: program.manifest.calls.count) : nil
    wamim_limit_blas_to_calling_thread()
    for thread in 1..<max(threadCount, 1) {
      threads.append(try WorkerThread(name: "worker \(thread)") { self.work(as: thread) })
    }
  }

  /// Ends the threads; no schedule can run afterwards.
  package func stop() {
    if threads.isEmpty { return }
    job = .stop
    barrier.wait()
    for thread in threads { thread.join() }
    threads = []
  }

  /// Runs the schedule of index `schedule` to its end.
  package func run(schedule: Int) {
    // The thread is the caller's, whose other numbers keep their meaning.
    let control = wamim_flush_denormals()
    defer { wamim_restore_denormals(control) }
    let firstTask = firstTask
    job = .run(schedule: schedule, firstTask: firstTask)
    barrier.wait()
    self.firstTask = runPhases(of: plans[schedule], firstTask: firstTask, thread: 0)
  }

  private func work(as thread: Int) {
    wamim_flush_denormals()
    while true {
      barrier.wait()
      guard case .run(let schedule, let firstTask) = job else { return }
      _ = runPhases(of: plans[schedule], firstTask: firstTask, thread: thread)
    }
  }

  /// Takes tasks of one phase after another, and returns where the counter then stands.
  ///
  /// Each thread finds the end of each phase once, by taking a number past its last task; so the counter's value at the start of
  /// the next phase is known without resetting it.
  private func runPhases(of plan: SchedulePlan, firstTask: Int, thread: Int) -> Int {
    var first = firstTask
    let scratch = scratch[thread].base
    withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: max(plan.maximumArguments, 1)) { pointers in
      for phase in plan.phases {
        while true {
          let task = nextTask.add(1, ordering: .relaxed).oldValue - first
          guard task < phase.taskCount else { break }
          run(phase.task(task), scratch: scratch, pointers: pointers, thread: thread)
        }
        first += phase.taskCount + threadCount
        barrier.wait()
      }
    }
    return first
  }

  /// Makes every call of one tile.
  private func run(
    _ task: SchedulePlan.Task, scratch: UnsafeMutableRawPointer,
    pointers: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>, thread: Int
  ) {
    let begin = UInt64(task.begin)
    for call in task.calls {
      for index in 0..<Int(call.argument_count) {
        let argument = call.arguments[index]
        let base = argument.storage == UInt32(WAMIM_STORAGE_SCRATCH) ? scratch : arena.base
        pointers[index] = base + Int(truncatingIfNeeded: argument.offset &+ begin &* argument.unit_stride)
      }
      guard let times else {
        call.function(pointers.baseAddress, task.begin, task.end)
        continue
      }
      let start = Clock.nanoseconds
      call.function(pointers.baseAddress, task.begin, task.end)
      times.add(Clock.nanoseconds - start, description: Int(call.description), thread: thread)
    }
  }
}
