/// Samples that wait in this machine's memory, as bytes, in slots; and the numbers that a model takes of them.
///
/// Loader threads write to slots that no other thread looks at meanwhile.
final class WaitingSamples: @unchecked Sendable {
  let slotCount: Int
  let samplesPerSlot: Int
  private let sampleBytes: Int
  private let classes: Int?
  /// Slots one after the other, in memory of its own or given.
  private let pixels: UnsafeMutableBufferPointer<UInt8>
  private let ownsPixels: Bool
  /// What comes with the samples of each slot, where something does.
  private let notes: UnsafeMutableBufferPointer<Sample.Note>
  private let finisher: SampleFinisher

  /// - Parameter pixels: Memory for the slots, which outlives this; nil for memory of its own.
  init(slots: Int, batch: ImageBatch, pixels given: UnsafeMutableBufferPointer<UInt8>? = nil) {
    slotCount = slots
    samplesPerSlot = batch.input.shape[0]
    sampleBytes = batch.sampleBytes
    classes = batch.classes
    pixels = given ?? .allocate(capacity: slots * samplesPerSlot * sampleBytes)
    ownsPixels = given == nil
    pixels.initialize(repeating: 0)
    notes = .allocate(capacity: batch.hasNotes ? slots * samplesPerSlot : 0)
    notes.initialize(repeating: Sample.Note())
    finisher = SampleFinisher(batch.augmentation, normalization: batch.normalization)
  }

  deinit {
    if ownsPixels { pixels.deallocate() }
    notes.deallocate()
  }

  /// Copies a sample to its memory; on any thread.
  func write(_ sample: Sample, index: Int, slot: Int) {
    _ = pixelsOfSample(index, slot: slot).update(from: sample.image.pixels.prefix(sampleBytes))
    if !notes.isEmpty { notes[slot * samplesPerSlot + index] = sample.note }
  }

  /// Writes the numbers of a sample of a full slot, normalised, erased and mixed, to those of a batch, and its target to those of all.
  func finish(
    _ sample: Int, slot: Int, by finish: BatchFinish, images: UnsafeMutableBufferPointer<Float>,
    targets: UnsafeMutableBufferPointer<Float>?
  ) {
    let partner = samplesPerSlot - 1 - sample
    let (own, other) = (note(of: sample, slot: slot), note(of: partner, slot: finish.partnerSlot))
    finisher.write(
      (UnsafeBufferPointer(pixelsOfSample(sample, slot: slot)), own.erasure),
      mixedWith: (UnsafeBufferPointer(pixelsOfSample(partner, slot: finish.partnerSlot)), other.erasure), by: finish.mixture,
      to: UnsafeMutableBufferPointer(rebasing: images[sample * sampleBytes..<(sample + 1) * sampleBytes]))
    if let targets { writeTarget(sample, slot: slot, by: finish, to: targets) }
  }

  /// Writes the target of a sample of a full slot, mixed, to those of all.
  func writeTarget(_ sample: Int, slot: Int, by finish: BatchFinish, to targets: UnsafeMutableBufferPointer<Float>) {
    guard let classes else { return }
    let partner = finish.mixture == nil ? nil : note(of: samplesPerSlot - 1 - sample, slot: finish.partnerSlot).label
    finisher.writeTarget(
      note(of: sample, slot: slot).label, mixedWith: partner, by: finish.mixture, scale: finish.targetScale,
      to: UnsafeMutableBufferPointer(rebasing: targets[sample * classes..<(sample + 1) * classes]))
  }

  /// What comes with a sample of a full slot.
  func note(of sample: Int, slot: Int) -> Sample.Note {
    notes.isEmpty ? Sample.Note() : notes[slot * samplesPerSlot + sample]
  }

  private func pixelsOfSample(_ sample: Int, slot: Int) -> UnsafeMutableBufferPointer<UInt8> {
    let start = (slot * samplesPerSlot + sample) * sampleBytes
    return UnsafeMutableBufferPointer(rebasing: pixels[start..<start + sampleBytes])
  }
}
