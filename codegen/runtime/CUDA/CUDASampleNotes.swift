import CCUDA
import WaMIMManifest

/// What comes with samples on their way to a GPU: what is erased of them, the noise in its place, and their targets.
final class CUDASampleNotes {
  /// Boxes of a slot's samples and then of their partners, as `wamim_finish_samples` takes them.
  let boxes: CUDAMemory
  /// The noise of all boxes.
  let noise: CUDAMemory

  private let batch: ImageBatch
  private let device: CUDADevice
  /// Two, so that one is written while the other one is copied.
  private let letters: [Letter]
  private var next = 0

  /// Memory of this machine for what one slot is sent with.
  private struct Letter: @unchecked Sendable {
    let boxes: PinnedMemory
    let noise: PinnedMemory
    let targets: PinnedMemory?
    /// When all of it has been copied.
    let copied: CUDAEvent
  }

  /// What is erased of a sample, and at which number of all the noise of its box begins.
  private struct Erased: Sendable {
    let erasure: Erasure
    let start: Int
  }

  /// The 32-bit numbers of a box.
  private static let boxNumbers = 5

  init(_ batch: ImageBatch, device: CUDADevice) throws(TrainerError) {
    self.batch = batch
    self.device = device
    let samples = batch.input.shape[0]
    let boxBytes = 4 * Self.boxNumbers * 2 * samples
    let noiseBytes = batch.augmentation.recipe.randomErasing > 0 ? 4 * device.program.manifest.mostErasedNumbers : 0
    boxes = try CUDAMemory(byteCount: boxBytes, for: "images", on: device.context)
    noise = try CUDAMemory(byteCount: noiseBytes, for: "images", on: device.context)
    letters = try (0..<2).map { _ throws(TrainerError) in
      Letter(
        boxes: try PinnedMemory(byteCount: boxBytes, on: device.context),
        noise: try PinnedMemory(byteCount: noiseBytes, on: device.context),
        targets: try batch.labels.map { (labels) throws(TrainerError) in
          try PinnedMemory(byteCount: labels.byteCount, on: device.context)
        },
        copied: try CUDAEvent(on: device.context))
    }
  }

  /// Sends what comes with the samples of `slot`, and says whether anything is erased of them or of their partners.
  func upload(of samples: WaitingSamples, slot: Int, _ finish: BatchFinish) throws(TrainerError) -> Bool {
    let letter = letters[next]
    next = (next + 1) % letters.count
    try letter.copied.wait(for: "copy images to the GPU")
    if let labels = batch.labels, let memory = letter.targets {
      let targets = UnsafeMutableRawBufferPointer(start: memory.base, count: labels.byteCount).bindMemory(to: Float.self)
      for sample in 0..<samples.samplesPerSlot { samples.writeTarget(sample, slot: slot, by: finish, to: targets) }
      try copy(memory, labels.byteCount, to: try device.address(of: labels))
    }
    let erased = try writeBoxes(to: letter, of: samples, slot: slot, finish)
    let numbers = erased.last.map { $0.start + count($0.erasure) } ?? 0
    if numbers > 0 {
      try writeNoise(of: erased, to: letter)
      try copy(letter.noise, 4 * numbers, to: noise.address)
    }
    if numbers > 0 || finish.mixture != nil { try copy(letter.boxes, letter.boxes.byteCount, to: boxes.address) }
    try letter.copied.record(in: device.stream)
    return numbers > 0
  }

  /// Writes the boxes of a slot's samples and of their partners, and gives what is erased, each once, in the order of its noise.
  private func writeBoxes(
    to letter: Letter, of samples: WaitingSamples, slot: Int, _ finish: BatchFinish
  ) throws(TrainerError) -> [Erased] {
    let count = samples.samplesPerSlot
    let numbers = UnsafeMutableRawBufferPointer(start: letter.boxes.base, count: letter.boxes.byteCount).bindMemory(to: Int32.self)
    numbers.update(repeating: 0)
    var erased: [Erased] = []
    var start = 0
    func write(_ note: Sample.Note, at index: Int) {
      guard let erasure = note.erasure else { return }
      let box = erasure.box
      for (offset, number) in [box.x, box.y, box.width, box.height, start].enumerated() {
        numbers[Self.boxNumbers * index + offset] = Int32(number)
      }
      erased.append(Erased(erasure: erasure, start: start))
      start += self.count(erasure)
    }
    for sample in 0..<count { write(samples.note(of: sample, slot: slot), at: sample) }
    guard finish.mixture != nil else { return erased }
    if finish.partnerSlot == slot {
      let half = Self.boxNumbers * count
      for index in 0..<half { numbers[half + index] = numbers[index] }
    } else {
      for sample in 0..<count { write(samples.note(of: sample, slot: finish.partnerSlot), at: count + sample) }
    }
    return erased
  }

  /// The numbers of a box's noise.
  private func count(_ erasure: Erasure) -> Int { erasure.box.width * erasure.box.height * batch.augmentation.channels }

  private func writeNoise(of erased: [Erased], to letter: Letter) throws(TrainerError) {
    let channels = batch.augmentation.channels
    try ParallelRanges(threads: device.threadCount).run(erased.count, size: 1) { range in
      let noise = UnsafeMutableRawBufferPointer(start: letter.noise.base, count: letter.noise.byteCount).bindMemory(to: Float.self)
      for item in erased[range] {
        let box = item.erasure.box
        for row in 0..<channels * box.height {
          let start = item.start + row * box.width
          item.erasure.writeNoise(
            to: UnsafeMutableBufferPointer(rebasing: noise[start..<start + box.width]), y: row % box.height,
            channel: row / box.height)
        }
      }
    }
  }

  private func copy(_ memory: PinnedMemory, _ byteCount: Int, to address: UInt64) throws(TrainerError) {
    try CUDAResult.check(
      wamim_cuMemcpyHtoDAsync(address, memory.base, byteCount, device.stream.handle), "copy images to the GPU")
  }
}
