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
  /// Slots one after the other. Loader threads write to memory that no other thread looks at meanwhile.
  private let pixels: UnsafeMutableBufferPointer<UInt8>
  /// What comes with the samples of each slot, where something does.
  private let notes: UnsafeMutableBufferPointer<Sample.Note>
  private let finisher: SampleFinisher

  init(slots: Int, batch: ImageBatch, memory: ProgramMemory, executor: Executor) {
    slotCount = slots
    samplesPerSlot = batch.input.shape[0]
    self.batch = batch
    self.memory = memory
    self.executor = executor
    sampleBytes = batch.sampleBytes
    pixels = .allocate(capacity: slots * samplesPerSlot * sampleBytes)
    pixels.initialize(repeating: 0)
    notes = .allocate(capacity: batch.hasNotes ? slots * samplesPerSlot : 0)
    notes.initialize(repeating: Sample.Note())
    finisher = SampleFinisher(batch.augmentation, normalization: batch.normalization)
  }

  deinit {
    pixels.deallocate()
    notes.deallocate()
  }

  func write(_ sample: Sample, index: Int, slot: Int) {
    _ = pixelsOfSample(index, slot: slot).update(from: sample.image.pixels.prefix(sampleBytes))
    if !notes.isEmpty { notes[slot * samplesPerSlot + index] = sample.note }
  }

  /// There is no other memory to copy to.
  func announce(slot: Int) {}

  func upload(slot: Int, finish: BatchFinish) {
    executor.forEach(samplesPerSlot) { [self] sample in
      let elements = memory.elements(batch.input)
      let partner = samplesPerSlot - 1 - sample
      let (own, other) = (note(of: sample, slot: slot), note(of: partner, slot: finish.partnerSlot))
      finisher.write(
        (UnsafeBufferPointer(pixelsOfSample(sample, slot: slot)), own.erasure),
        mixedWith: (UnsafeBufferPointer(pixelsOfSample(partner, slot: finish.partnerSlot)), other.erasure), by: finish.mixture,
        to: UnsafeMutableBufferPointer(rebasing: elements[sample * sampleBytes..<(sample + 1) * sampleBytes]))
      guard let labels = batch.labels, let classes = batch.classes else { return }
      finisher.writeTarget(
        own.label, mixedWith: finish.mixture == nil ? nil : other.label, by: finish.mixture, scale: finish.targetScale,
        to: UnsafeMutableBufferPointer(rebasing: memory.elements(labels)[sample * classes..<(sample + 1) * classes]))
    }
  }

  private func note(of sample: Int, slot: Int) -> Sample.Note {
    notes.isEmpty ? Sample.Note() : notes[slot * samplesPerSlot + sample]
  }

  private func pixelsOfSample(_ sample: Int, slot: Int) -> UnsafeMutableBufferPointer<UInt8> {
    let start = (slot * samplesPerSlot + sample) * sampleBytes
    return UnsafeMutableBufferPointer(rebasing: pixels[start..<start + sampleBytes])
  }
}
