import WaMIMManifest

/// Images that wait in this machine's memory, and are normalised by the threads that compute, on the way to where kernels read them.
///
/// As those threads have nothing else to do then, that takes the least time, and images wait in a quarter of the memory of numbers.
final class CPUImageStaging: ImageStaging, @unchecked Sendable {
  let slotCount: Int
  let samplesPerSlot: Int
  private let batch: ImageBatch
  private let memory: ProgramMemory
  private let executor: Executor
  private let sampleBytes: Int
  /// Slots one after the other. Loader threads write to places that no other thread looks at meanwhile.
  private let pixels: UnsafeMutableBufferPointer<UInt8>

  init(slots: Int, batch: ImageBatch, memory: ProgramMemory, executor: Executor) {
    slotCount = slots
    samplesPerSlot = batch.input.shape[0]
    self.batch = batch
    self.memory = memory
    self.executor = executor
    sampleBytes = batch.sampleBytes
    pixels = .allocate(capacity: slots * samplesPerSlot * sampleBytes)
    pixels.initialize(repeating: 0)
  }

  deinit {
    pixels.deallocate()
  }

  func write(_ sample: Image, place: Int, slot: Int) {
    _ = pixelsOfSample(place, slot: slot).update(from: sample.pixels.prefix(sampleBytes))
  }

  /// There is no other memory to copy to.
  func announce(slot: Int) {}

  func upload(slot: Int) {
    executor.forEach(samplesPerSlot) { [self] sample in
      let elements = memory.elements(batch.input)
      batch.normalization.apply(
        UnsafeBufferPointer(pixelsOfSample(sample, slot: slot)),
        to: UnsafeMutableBufferPointer(rebasing: elements[sample * sampleBytes..<(sample + 1) * sampleBytes]),
        channels: batch.augmentation.channels, positions: batch.augmentation.width * batch.augmentation.height)
    }
  }

  private func pixelsOfSample(_ sample: Int, slot: Int) -> UnsafeMutableBufferPointer<UInt8> {
    let start = (slot * samplesPerSlot + sample) * sampleBytes
    return UnsafeMutableBufferPointer(rebasing: pixels[start..<start + sampleBytes])
  }
}
