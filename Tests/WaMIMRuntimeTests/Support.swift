import CFakeProgram
import CProgram
import Foundation
import WaMIMManifest
import WaMIMRuntime

/// The bytes of a file among the fixtures.
func fixture(_ name: String) throws -> [UInt8] {
  let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")
  return Array(try Data(contentsOf: folder.appendingPathComponent(name)))
}

/// An empty folder that is removed when the last reference goes.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("wamim-tests-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// The path of `name` in the folder.
  subscript(name: String) -> String { "\(path)/\(name)" }

  /// Writes a file, making the folders that it lies in.
  func write(_ bytes: [UInt8], to name: String) throws {
    let url = URL(fileURLWithPath: self[name])
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
  }

  func read(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: self[name])) }

  func contents(_ name: String = ".") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: self[name]).sorted()
  }
}

/// The fake program, whose memory stays where it is.
func fakeProgram() throws -> Program {
  try withUnsafePointer(to: wamim_fake_program) { try Program($0) }
}

/// What tests that make steps themselves tell the fake program, whose betas and epsilon belong to its code.
let fakeRecipe = Recipe { $0.weightDecay = 0.1 }.withConstantRate(0.01)

/// Runs the trainer with `arguments` on the fake program, and returns its exit code.
func train(_ arguments: String...) -> Int32 { train(arguments) }

/// Runs the trainer with `arguments` on a program, the fake one where none is given, and returns its exit code.
func train(_ arguments: [String], on program: wamim_program = wamim_fake_program) -> Int32 {
  var words = (["train"] + arguments).map { strdup($0) }
  defer { for word in words { free(word) } }
  return withUnsafePointer(to: program) { wamimMain(Int32(words.count), &words, $0) }
}

/// The tensors of a safetensors file by their names.
func tensors(_ path: String) throws -> [String: [Float]] {
  let reader = try SafetensorsReader(path)
  var result: [String: [Float]] = [:]
  for (name, entry) in reader.header.entries {
    var values = [Float](repeating: 0, count: entry.range.count / 4)
    try values.withUnsafeMutableBytes { try reader.read(name, into: $0) }
    result[name] = values
  }
  return result
}

/// Writes tensors to a safetensors file.
func write(_ tensors: [(name: String, shape: [Int], values: [Float])], to path: String) throws {
  var store = TensorStore()
  for tensor in tensors { store.add(tensor.name, shape: tensor.shape, values: tensor.values) }
  try store.write(to: path)
}

/// Images that wait for a test, which reads them as the inputs of a model.
final class TestStaging: ImageStaging, @unchecked Sendable {
  let slotCount: Int
  let samplesPerSlot: Int
  private let finisher: SampleFinisher
  /// Elements of a sample.
  private let count: Int
  private let classes: Int
  private var samples: [[Sample?]]
  /// The indices in each slot that have been written since its last upload.
  private var written: [Set<Int>]
  private var announced: Set<Int> = []
  private let lock = NSLock()
  /// What was uploaded last.
  private(set) var input: [Float] = []
  private(set) var targets: [Float] = []

  convenience init(slots: Int, samples: Int, augmentation: Augmentation, classes: Int = 0) {
    self.init(
      slots: slots, samples: samples, augmentation: augmentation,
      normalization: Normalization(augmentation.recipe, channels: augmentation.channels), classes: classes)
  }

  convenience init(slots: Int, samples: Int, batch: ImageBatch) {
    self.init(
      slots: slots, samples: samples, augmentation: batch.augmentation, normalization: batch.normalization,
      classes: batch.classes ?? 0)
  }

  private init(slots: Int, samples: Int, augmentation: Augmentation, normalization: Normalization, classes: Int) {
    slotCount = slots
    samplesPerSlot = samples
    finisher = SampleFinisher(augmentation, normalization: normalization)
    count = augmentation.width * augmentation.height * augmentation.channels
    self.classes = classes
    self.samples = Array(repeating: Array(repeating: nil, count: samples), count: slots)
    written = Array(repeating: [], count: slots)
  }

  func write(_ sample: Sample, index: Int, slot: Int) {
    lock.withLock {
      samples[slot][index] = sample
      written[slot].insert(index)
    }
  }

  func announce(slot: Int) {
    _ = lock.withLock { announced.insert(slot) }
  }

  /// Throws where the slot has not been announced, or lacks a sample.
  func upload(slot: Int, finish: BatchFinish) throws(TrainerError) {
    let (samples, isFull) = lock.withLock {
      defer { written[slot] = [] }
      return (self.samples, announced.remove(slot) != nil && written[slot].count == samplesPerSlot)
    }
    let own = samples[slot].compactMap { $0 }
    let partners = finish.mixture == nil ? own : samples[finish.partnerSlot].reversed().compactMap { $0 }
    guard isFull, partners.count == own.count else { throw TrainerError("the slot \(slot) is not full") }
    input = [Float](repeating: 0, count: own.count * count)
    targets = [Float](repeating: 0, count: own.count * classes)
    for (index, (own, partner)) in zip(own, partners).enumerated() {
      own.image.pixels.withUnsafeBufferPointer { pixels in
        partner.image.pixels.withUnsafeBufferPointer { others in
          input.withUnsafeMutableBufferPointer { input in
            finisher.write(
              (pixels, own.erasure), mixedWith: (others, partner.erasure), by: finish.mixture,
              to: UnsafeMutableBufferPointer(rebasing: input[index * count..<(index + 1) * count]))
          }
        }
      }
      targets.withUnsafeMutableBufferPointer { targets in
        finisher.writeTarget(
          own.label, mixedWith: finish.mixture == nil ? nil : partner.label, by: finish.mixture, scale: finish.targetScale,
          to: UnsafeMutableBufferPointer(rebasing: targets[index * classes..<(index + 1) * classes]))
      }
    }
  }
}
