import CCUDA
import WaMIMManifest

/// Images that wait as bytes, in this machine's memory and in a GPU's, which makes numbers of them.
///
/// A slot is copied when it is full, beside the step, on a stream of its own.
final class CUDAImageStaging: ImageStaging, @unchecked Sendable {
  private let samples: WaitingSamples
  private let batch: ImageBatch
  private let device: CUDADevice
  private let pinned: PinnedMemory
  /// The slots on the GPU.
  private let pixels: CUDAMemory
  /// The number for each byte of each channel.
  private let table: CUDAMemory
  private let copies: CUDAStream
  private let slotBytes: Int
  private let function: wamim_cuda_function
  private var slots: [Slot] = []

  /// What is known of a slot. Loader threads change it before the trainer's thread knows that it is full.
  private struct Slot {
    /// When its bytes have been copied, and when they have been made numbers of.
    let copied: CUDAEvent
    let used: CUDAEvent
    var isOnItsWay = false
  }

  init(slots count: Int, batch: ImageBatch, device: CUDADevice) throws(TrainerError) {
    slotBytes = batch.input.shape[0] * batch.sampleBytes
    pinned = try PinnedMemory(byteCount: count * slotBytes, on: device.context)
    let bytes = UnsafeMutableRawBufferPointer(start: pinned.base, count: count * slotBytes).bindMemory(to: UInt8.self)
    bytes.initialize(repeating: 0)
    samples = WaitingSamples(slots: count, batch: batch, pixels: bytes)
    pixels = try CUDAMemory(byteCount: count * slotBytes, for: "images", on: device.context)
    let numbers = batch.normalization.table
    table = try CUDAMemory(byteCount: 4 * numbers.count, for: "images", on: device.context)
    copies = try CUDAStream(on: device.context)
    function = try device.module.function("wamim_look_up_pixels")
    self.batch = batch
    self.device = device
    for _ in 0..<count { slots.append(Slot(copied: try CUDAEvent(), used: try CUDAEvent())) }
    try device.transfers.upload(numbers, to: table.address)
  }

  deinit {
    // Images that nobody takes may be on their way from memory that goes now.
    try? copies.wait(for: "copy images to the GPU")
    try? device.stream.wait(for: "copy images to the GPU")
  }

  var slotCount: Int { samples.slotCount }
  var samplesPerSlot: Int { samples.samplesPerSlot }

  func write(_ sample: Sample, index: Int, slot: Int) { samples.write(sample, index: index, slot: slot) }

  func announce(slot: Int) {
    do throws(TrainerError) {
      // The driver knows of each thread which GPU it uses.
      try device.context.makeCurrent()
      try copy(slot)
    } catch {
      // Whoever takes the slot copies it, or finds what is wrong.
      slots[slot].isOnItsWay = false
    }
  }

  private func copy(_ slot: Int) throws(TrainerError) {
    try copies.wait(until: slots[slot].used)
    let offset = slot * slotBytes
    try CUDAResult.check(
      wamim_cuMemcpyHtoDAsync(pixels.address + UInt64(offset), pinned.base + offset, slotBytes, copies.handle),
      "copy images to the GPU")
    try slots[slot].copied.record(in: copies)
    slots[slot].isOnItsWay = true
  }

  func upload(slot: Int, finish: BatchFinish) throws(TrainerError) {
    if !slots[slot].isOnItsWay { try copy(slot) }
    slots[slot].isOnItsWay = false
    try device.stream.wait(until: slots[slot].copied)
    let (count, channels) = (batch.input.count, batch.input.shape[1])
    let positions = batch.input.shape[2] * batch.input.shape[3]
    try CUDALaunch(
      function: function, blocks: (count + 255) / 256, threads: 256,
      parameters: [
        pixels.address + UInt64(slot * slotBytes), table.address, try device.address(of: batch.input), UInt64(channels),
        UInt64(positions), UInt64(count),
      ], name: "wamim_look_up_pixels"
    ).run(on: device.stream)
    try slots[slot].used.record(in: device.stream)
    // From here on loader threads may write to the slot in this machine's memory.
    try slots[slot].copied.wait(for: "copy images to the GPU")
  }
}
