/// Where images wait, as bytes, for the rounds that take them: slots that loader threads fill and a device reads.
///
/// A slot belongs to the loader from the return of the last `upload` that reads it until `announce`, and to the device from then on.
package protocol ImageStaging: AnyObject, Sendable {
  /// Slots, of which one can be taken while others are being filled.
  var slotCount: Int { get }

  /// Samples that a slot holds.
  var samplesPerSlot: Int { get }

  /// Copies a sample, whose pixels are [height, width, channels], to its memory; on any thread.
  func write(_ sample: Sample, index: Int, slot: Int)

  /// Says that a slot is full: a device with memory of its own can begin to copy it, beside its work. On any thread.
  func announce(slot: Int)

  /// Normalises the samples of a full slot, erases and mixes as is said, and writes them to the model's input, as
  /// [samples, channels, height, width], and their targets, where the model asks for some.
  func upload(slot: Int, finish: BatchFinish) throws(TrainerError)
}

extension ImageStaging {
  /// Writes the samples of a full slot to the model's input, none of them mixed.
  package func upload(slot: Int) throws(TrainerError) { try upload(slot: slot, finish: BatchFinish()) }
}
