import WaMIMManifest

/// Images that wait in this machine's memory, and are normalised by the threads that compute, on the way to where kernels read them.
///
/// As those threads have nothing else to do then, that takes the least time, and images wait in a quarter of the memory of numbers.
final class CPUImageStaging: ImageStaging {
  private let samples: WaitingSamples
  private let batch: ImageBatch
  private let memory: ProgramMemory
  private let executor: Executor

  init(slots: Int, batch: ImageBatch, memory: ProgramMemory, executor: Executor) {
    samples = WaitingSamples(slots: slots, batch: batch)
    self.batch = batch
    self.memory = memory
    self.executor = executor
  }

  var slotCount: Int { samples.slotCount }
  var samplesPerSlot: Int { samples.samplesPerSlot }

  func write(_ sample: Sample, index: Int, slot: Int) { samples.write(sample, index: index, slot: slot) }

  /// There is no other memory to copy to.
  func announce(slot: Int) {}

  func upload(slot: Int, finish: BatchFinish) {
    executor.forEach(samplesPerSlot) { [self] sample in
      samples.finish(
        sample, slot: slot, by: finish, images: memory.elements(batch.input), targets: batch.labels.map { memory.elements($0) })
    }
  }
}
