import WaMIMManifest

/// Where the elements of an input that a round sees lie among those of the whole step.
///
/// The batches of a step follow each other; within a batch lie the samples of its micro-batches, along the input's sample axis. So an
/// element has the same offset however a batch is cut.
struct SampleOffsets {
  /// Elements from one sample's to the next one's, all along the sample axis of a micro-batch.
  private let run: Int
  /// Elements along the sample axis of the whole batch, and of what comes before the round's in it.
  private let wholeRun: Int
  private let start: Int

  init(_ input: Manifest.Input, round: Int, microBatches: Int) {
    let shape = input.tensor.shape
    let count = input.tensor.count
    guard let axis = input.binding.sampleAxis, axis < shape.count else {
      // The samples of a batch share the numbers.
      (run, wholeRun, start) = (max(1, count), max(1, count), round / microBatches * count)
      return
    }
    run = max(1, shape[axis...].reduce(1, *))
    wholeRun = run * microBatches
    start = round / microBatches * microBatches * count + round % microBatches * run
  }

  /// The offset of the element at `position` of the round.
  subscript(position: Int) -> Int { start + position / run * wholeRun + position % run }
}
