import CCUDA
import WaMIMManifest

/// Samples that wait in this machine's memory, and that its threads make numbers of on their way to a GPU's.
final class CUDASampleStaging: ImageStaging, @unchecked Sendable {
  private let samples: WaitingSamples
  private let batch: ImageBatch
  private let device: CUDADevice
  /// Batches of numbers on their way, so that one is written while another one is copied.
  private var batches: [Batch] = []
  private var next = 0

  /// A batch's numbers, and its targets, where there are some.
  private struct Batch: @unchecked Sendable {
    let images: PinnedMemory
    let labels: PinnedMemory?
    /// When they have been copied.
    let copied: CUDAEvent
  }

  init(slots: Int, batch: ImageBatch, device: CUDADevice) throws(TrainerError) {
    samples = WaitingSamples(slots: slots, batch: batch)
    self.batch = batch
    self.device = device
    for _ in 0..<2 {
      let images = try PinnedMemory(byteCount: batch.input.byteCount, on: device.context)
      let labels = try batch.labels.map { (labels) throws(TrainerError) in
        try PinnedMemory(byteCount: labels.byteCount, on: device.context)
      }
      batches.append(Batch(images: images, labels: labels, copied: try CUDAEvent()))
    }
  }

  deinit {
    // The memory goes now that the last batch may be on its way from.
    try? device.stream.wait(for: "copy images to the GPU")
  }

  var slotCount: Int { samples.slotCount }
  var samplesPerSlot: Int { samples.samplesPerSlot }

  func write(_ sample: Sample, index: Int, slot: Int) { samples.write(sample, index: index, slot: slot) }

  /// The copy begins when the batch is finished.
  func announce(slot: Int) {}

  func upload(slot: Int, finish: BatchFinish) throws(TrainerError) {
    let numbers = batches[next]
    next = (next + 1) % batches.count
    try numbers.copied.wait(for: "copy images to the GPU")
    let images = numbers.images.elements
    let targets = numbers.labels?.elements
    try ParallelRanges(threads: device.threadCount).run(samplesPerSlot, size: 1) { [samples] range in
      for sample in range { samples.finish(sample, slot: slot, by: finish, images: images.elements, targets: targets?.elements) }
    }
    try copy(numbers.images, to: batch.input)
    if let labels = batch.labels, let memory = numbers.labels { try copy(memory, to: labels) }
    try numbers.copied.record(in: device.stream)
  }

  private func copy(_ memory: PinnedMemory, to tensor: Manifest.Tensor) throws(TrainerError) {
    try CUDAResult.check(
      wamim_cuMemcpyHtoDAsync(try device.address(of: tensor), memory.base, tensor.byteCount, device.stream.handle),
      "copy images to the GPU")
  }
}

/// Numbers that threads write, none two of them the same.
private struct SharedElements: @unchecked Sendable {
  let elements: UnsafeMutableBufferPointer<Float>
}

extension PinnedMemory {
  fileprivate var elements: SharedElements {
    SharedElements(elements: UnsafeMutableRawBufferPointer(start: base, count: byteCount).bindMemory(to: Float.self))
  }
}
