import CCUDA
import WaMIMManifest

/// Images that wait as bytes, in this machine's memory and in a GPU's, which makes numbers of them, erases and mixes them.
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
  private let lookUp: wamim_cuda_function
  private let finishing: wamim_cuda_function
  /// What comes with the samples, where something does.
  private let notes: CUDASampleNotes?
  private let slots: [Slot]

  /// What is known of a slot. Loader threads change it before the trainer's thread knows that it is full.
  private final class Slot: @unchecked Sendable {
    /// How far its bytes have come.
    enum Progress { case waiting, onTheirWay, there }

    /// When its bytes have been copied, and when they have been made numbers of.
    let copied: CUDAEvent
    let used: CUDAEvent
    var progress = Progress.waiting

    init(on context: CUDAContext) throws(TrainerError) {
      copied = try CUDAEvent(on: context)
      used = try CUDAEvent(on: context)
    }
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
    lookUp = try device.module.function("wamim_look_up_pixels")
    finishing = try device.module.function("wamim_finish_samples")
    notes = batch.hasNotes ? try CUDASampleNotes(batch, device: device) : nil
    self.batch = batch
    self.device = device
    slots = try (0..<count).map { _ throws(TrainerError) in try Slot(on: device.context) }
    try device.transfers.upload(numbers, to: table.address)
  }

  deinit {
    // Images that nobody takes may be on their way from memory that goes now.
    try? copies.wait(for: "copy images to the GPU")
    try? device.stream.wait(for: "copy images to the GPU")
  }

  var slotCount: Int { samples.slotCount }
  var samplesPerSlot: Int { samples.samplesPerSlot }

  func write(_ sample: Sample, index: Int, slot: Int) {
    // One of a slot's samples says that its bytes are others from now on.
    if index == 0 { slots[slot].progress = .waiting }
    samples.write(sample, index: index, slot: slot)
  }

  func announce(slot: Int) {
    do throws(TrainerError) {
      // The driver knows of each thread which GPU it uses.
      try device.context.makeCurrent()
      try copy(slot)
    } catch {
      // Whoever takes the slot copies it, or finds what is wrong.
      slots[slot].progress = .waiting
    }
  }

  private func copy(_ slot: Int) throws(TrainerError) {
    try copies.wait(until: slots[slot].used)
    let offset = slot * slotBytes
    try CUDAResult.check(
      wamim_cuMemcpyHtoDAsync(pixels.address + UInt64(offset), pinned.base + offset, slotBytes, copies.handle),
      "copy images to the GPU")
    try slots[slot].copied.record(in: copies)
    slots[slot].progress = .onTheirWay
  }

  /// Lets what the step asks for from now on find the bytes of a full slot.
  private func bring(_ slot: Int) throws(TrainerError) {
    if slots[slot].progress == .waiting { try copy(slot) }
    if slots[slot].progress == .onTheirWay { try device.stream.wait(until: slots[slot].copied) }
    slots[slot].progress = .there
  }

  func upload(slot: Int, finish: BatchFinish) throws(TrainerError) {
    try bring(slot)
    if finish.mixture != nil { try bring(finish.partnerSlot) }
    let erases = try notes?.upload(of: samples, slot: slot, finish) ?? false
    let launch = erases || finish.mixture != nil ? try finishing(of: slot, finish) : try lookUp(slot)
    try launch.run(on: device.stream)
    try slots[slot].used.record(in: device.stream)
    if finish.mixture != nil, finish.partnerSlot != slot { try slots[finish.partnerSlot].used.record(in: device.stream) }
    // From here on loader threads may write to the slot in this machine's memory.
    try slots[slot].copied.wait(for: "copy images to the GPU")
  }

  private func address(of slot: Int) -> UInt64 { pixels.address + UInt64(slot * slotBytes) }

  private func launch(_ function: wamim_cuda_function, _ name: String, _ parameters: [UInt64]) -> CUDALaunch {
    CUDALaunch(
      function: function, blocks: (batch.input.count + 255) / 256, threads: 256, parameters: parameters, name: name)
  }

  private func lookUp(_ slot: Int) throws(TrainerError) -> CUDALaunch {
    let shape = batch.input.shape
    return launch(
      lookUp, "wamim_look_up_pixels",
      [
        address(of: slot), table.address, try device.address(of: batch.input), UInt64(shape[1]), UInt64(shape[2] * shape[3]),
        UInt64(batch.input.count),
      ])
  }

  private func finishing(of slot: Int, _ finish: BatchFinish) throws(TrainerError) -> CUDALaunch {
    let mixture = finish.mixture
    var parameters = [address(of: slot), mixture == nil ? 0 : address(of: finish.partnerSlot), table.address]
    parameters += [notes?.boxes.address ?? 0, notes?.noise.address ?? 0, try device.address(of: batch.input)]
    let shape = batch.input.shape
    parameters += [shape[3], shape[2], shape[1], shape[0]].map { UInt64($0) }
    let share = mixture?.share ?? 1
    parameters += [Float(share), Float(1 - share)].map { UInt64($0.bitPattern) }
    let box: [Int] = mixture?.box.map { [$0.x, $0.y, $0.width, $0.height] } ?? [0, 0, -1, 0]
    parameters += box.map { UInt64(bitPattern: Int64($0)) }
    return launch(finishing, "wamim_finish_samples", parameters)
  }
}
