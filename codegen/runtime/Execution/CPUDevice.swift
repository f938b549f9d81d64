import CProgram
import Glibc
import WaMIMManifest

/// The processor: an arena that all threads share, and threads that work through schedules together.
package final class CPUDevice: Device {
  private let program: Program
  private let memory: ProgramMemory
  private let executor: Executor

  /// Checks the processor, maps the memory, copies the constants and starts the threads.
  ///
  /// - Parameter gradients: The memory for gradients that schedules will need.
  package init(_ program: Program, gradients: GradientMemory, threads: Int) throws(TrainerError) {
    try ProcessorCheck.check(program.manifest.processor)
    self.program = program
    memory = try ProgramMemory(program, gradients: gradients)
    for constant in program.constants {
      guard let bytes = constant.bytes else { continue }
      (memory.arena.base + Int(constant.offset)).copyMemory(from: bytes, byteCount: Int(constant.byte_count))
    }
    executor = try Executor(program: program, memory: memory, threadCount: threads)
  }

  deinit {
    executor.stop()
  }

  package var name: String { Format.counted(threadCount, "thread") }

  package var threadCount: Int { executor.threadCount }

  // MARK: Tensors

  package func upload(
    _ tensor: Manifest.Tensor, from source: (_ offset: Int, _ piece: inout MutableRawSpan) throws(TrainerError) -> Void
  ) throws(TrainerError) {
    var span = memory.bytes(tensor).mutableBytes
    try source(0, &span)
  }

  package func download(
    _ tensor: Manifest.Tensor, in memory: DeviceMemory, to sink: (_ piece: RawSpan) throws(TrainerError) -> Void
  ) throws(TrainerError) {
    let bytes = memory == .arena ? self.memory.bytes(tensor) : self.memory.accumulatedBytes(tensor)
    guard let bytes else { throw TrainerError("there is no memory to add up gradients in, and so no `\(tensor.name)`") }
    try sink(UnsafeRawBufferPointer(bytes).bytes)
  }

  package func fill(
    _ tensors: [Manifest.Tensor], with values: @escaping @Sendable (_ index: Int, _ elements: inout MutableSpan<Float>) -> Void
  ) {
    let memory = memory
    executor.forEach(tensors.count) { index in
      var span = memory.elements(tensors[index]).mutableSpan
      values(index, &span)
    }
  }

  package func upload(_ scalars: [ScalarInput]) {
    for scalar in scalars { memory.elements(scalar.tensor).update(repeating: scalar.value) }
  }

  package func downloadScalars(_ tensors: [Manifest.Tensor]) -> [Float] {
    tensors.map { memory.elements($0).first ?? 0 }
  }

  package func exchange(_ tensors: [Manifest.Tensor], with others: [Manifest.Tensor]) {
    let memory = memory
    executor.forEach(min(tensors.count, others.count)) { index in
      memory.bytes(tensors[index]).exchange(with: memory.bytes(others[index]))
    }
  }

  package func clearAccumulators() {
    memory.clearAccumulators()
  }

  // MARK: Gradients of many batches

  package func setAccumulatorsAside() { addGradients(memory.gradients.accumulators, to: memory.gradients.sums) }

  package func gatherAccumulators() { addGradients(memory.gradients.sums, to: memory.gradients.accumulators) }

  package func lendGradients() -> LentGradients { memory.gradients }

  /// Adds one memory of gradients to another and zeroes it, where there are both.
  private func addGradients(
    _ source: UnsafeMutableBufferPointer<Float>?, to target: UnsafeMutableBufferPointer<Float>?
  ) {
    guard let source, let target else { return }
    let pair = LentGradients(accumulators: target, sums: source)
    let piece = 1 << 16
    executor.forEach((target.count + piece - 1) / piece) { index in
      let range = index * piece..<min((index + 1) * piece, pair.accumulators.count)
      pair.addSums(range)
    }
  }

  // MARK: Questions about tensors

  package func sum(_ term: SumTerm, over tensors: [Manifest.Tensor]) -> Double {
    let (memory, sums) = (memory, TensorSums(count: tensors.count))
    executor.forEach(tensors.count) { sums.note(term, of: memory.elements(tensors[$0]), at: $0) }
    return sums.total
  }

  package func firstNonFinite(among tensors: [Manifest.Tensor]) -> Int? {
    tensors.firstIndex { tensor in
      let bytes = memory.bytes(tensor)
      return bytes.baseAddress.map { !FiniteCheck.isFinite($0, byteCount: bytes.count) } ?? false
    }
  }

  // MARK: Images

  package func makeImageStaging(slots: Int, for batch: ImageBatch) -> any ImageStaging {
    CPUImageStaging(slots: slots, batch: batch, memory: memory, executor: executor)
  }

  // MARK: Schedules

  package func run(schedule: Int, telling progress: PhaseProgress?) -> Bool { executor.run(schedule: schedule, telling: progress) }

  package func check(schedule: Int) -> NonFiniteResult? { executor.check(schedule: schedule) }

  // MARK: Measurements

  package func startMeasuring() { executor.startMeasuring() }

  package func measuredTimes() -> KernelTimes {
    executor.times?.total ?? KernelTimes(calls: [], waiting: KernelTimes.Entry())
  }

  package func startTimeline(runs: [(schedule: Int, count: Int)]) throws(TrainerError) -> Timeline {
    let timeline = try executor.makeTimeline(runs: runs)
    executor.timeline = timeline
    return timeline
  }

  package func stopTimeline() { executor.timeline = nil }

  package func makeLimitMeter() throws(TrainerError) -> any LimitMeter {
    try CPULimitMeter(program, threads: threadCount)
  }
}

extension UnsafeMutableRawBufferPointer {
  /// Exchanges the bytes with those of `other`, by way of some that caches hold.
  fileprivate func exchange(with other: UnsafeMutableRawBufferPointer) {
    withUnsafeTemporaryAllocation(byteCount: 1 << 14, alignment: 64) { piece in
      for start in stride(from: 0, to: Swift.min(count, other.count), by: piece.count) {
        let range = start..<Swift.min(start + piece.count, count, other.count)
        let (mine, theirs) = (Self(rebasing: self[range]), Self(rebasing: other[range]))
        piece.copyMemory(from: UnsafeRawBufferPointer(mine))
        mine.copyMemory(from: UnsafeRawBufferPointer(theirs))
        theirs.copyMemory(from: UnsafeRawBufferPointer(rebasing: piece[..<range.count]))
      }
    }
  }
}
