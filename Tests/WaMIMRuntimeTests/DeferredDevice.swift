import Foundation
import WaMIMManifest
import WaMIMRuntime

/// A device with memory of its own, as far as the trainer can tell.
///
/// Transfers are copied in pieces of a few bytes, and work waits until somebody asks for a result.
final class DeferredDevice: Device {
  /// What has been asked of devices.
  struct Counts {
    var scalarUploads = 0
    var scalars = 0
    var uploads = 0
    var fills = 0
    var imageUploads = 0
    var announcements = 0
    var runs = 0
  }

  /// Counts of all devices that a test has made, which threads share.
  final class Log: @unchecked Sendable {
    private let lock = NSLock()
    private var counts = Counts()

    func note(_ change: (inout Counts) -> Void) { lock.withLock { change(&counts) } }

    var total: Counts { lock.withLock { counts } }
  }

  /// Bytes that a piece has at most, a number that no tensor's size is a multiple of.
  private static let pieceBytes = 28

  private let inner: CPUDevice
  private let log: Log
  private let failsAt: Int?
  private var waiting: [Work] = []

  /// What waits until somebody asks for a result.
  private enum Work {
    case upload([UInt8], Manifest.Tensor)
    case scalars([ScalarInput])
    case clearAccumulators
  }

  /// - Parameter failsAt: The run of a schedule, counted over all devices of `log` from 1, at which the device fails.
  init(_ program: Program, gradients: GradientMemory, threads: Int, log: Log, failsAt: Int? = nil) throws(TrainerError) {
    inner = try CPUDevice(program, gradients: gradients, threads: threads)
    self.log = log
    self.failsAt = failsAt
  }

  /// A maker of such devices.
  static func maker(log: Log, failsAt: Int? = nil) -> DeviceMaker {
    DeviceMaker { (program, request) throws(TrainerError) in
      try DeferredDevice(program, gradients: request.gradients, threads: request.threads, log: log, failsAt: failsAt)
    }
  }

  var name: String { "a device of the tests" }
  var threadCount: Int { inner.threadCount }

  /// Does what has waited.
  private func flush() throws(TrainerError) {
    let work = waiting
    waiting = []
    for item in work {
      switch item {
      case .upload(let bytes, let tensor):
        try inner.upload(tensor) { offset, piece in
          piece.withUnsafeMutableBytes { $0.copyBytes(from: bytes[offset..<offset + $0.count]) }
        }
      case .scalars(let scalars): inner.upload(scalars)
      case .clearAccumulators: inner.clearAccumulators()
      }
    }
  }

  func upload(
    _ tensor: Manifest.Tensor, from source: (_ offset: Int, _ piece: inout MutableRawSpan) throws(TrainerError) -> Void
  ) throws(TrainerError) {
    log.note { $0.uploads += 1 }
    var copy: [UInt8] = []
    while copy.count < 4 * tensor.count {
      var piece = [UInt8](repeating: 0xEE, count: min(Self.pieceBytes, 4 * tensor.count - copy.count))
      var elements = piece.mutableSpan
      var span = elements.mutableBytes
      try source(copy.count, &span)
      copy += piece
    }
    waiting.append(.upload(copy, tensor))
  }

  func download(
    _ tensor: Manifest.Tensor, in memory: DeviceMemory, to sink: (_ piece: RawSpan) throws(TrainerError) -> Void
  ) throws(TrainerError) {
    try flush()
    var bytes: [UInt8] = []
    try inner.download(tensor, in: memory) { span in span.withUnsafeBytes { bytes += $0 } }
    for start in stride(from: 0, to: bytes.count, by: Self.pieceBytes) {
      let piece = Array(bytes[start..<min(bytes.count, start + Self.pieceBytes)])
      try sink(piece.span.bytes)
    }
  }

  func fill(
    _ tensors: [Manifest.Tensor], with values: @escaping @Sendable (_ index: Int, _ elements: inout MutableSpan<Float>) -> Void
  ) {
    log.note { $0.fills += 1 }
    for (index, tensor) in tensors.enumerated() {
      var elements = [Float](repeating: .nan, count: tensor.count)
      var span = elements.mutableSpan
      values(index, &span)
      waiting.append(.upload(elements.withUnsafeBytes { Array($0) }, tensor))
    }
  }

  func upload(_ scalars: [ScalarInput]) {
    log.note {
      $0.scalarUploads += 1
      $0.scalars += scalars.count
    }
    waiting.append(.scalars(scalars))
  }

  func downloadScalars(_ tensors: [Manifest.Tensor]) throws(TrainerError) -> [Float] {
    try flush()
    return inner.downloadScalars(tensors)
  }

  func exchange(_ tensors: [Manifest.Tensor], with others: [Manifest.Tensor]) throws(TrainerError) {
    try flush()
    inner.exchange(tensors, with: others)
  }

  func clearAccumulators() {
    waiting.append(.clearAccumulators)
  }

  func setAccumulatorsAside() throws(TrainerError) {
    try flush()
    inner.setAccumulatorsAside()
  }

  func gatherAccumulators() throws(TrainerError) {
    try flush()
    inner.gatherAccumulators()
  }

  func lendGradients() throws(TrainerError) -> LentGradients {
    try flush()
    return inner.lendGradients()
  }

  func sum(_ term: SumTerm, over tensors: [Manifest.Tensor]) throws(TrainerError) -> Double {
    try flush()
    return inner.sum(term, over: tensors)
  }

  func firstNonFinite(among tensors: [Manifest.Tensor]) throws(TrainerError) -> Int? {
    try flush()
    return inner.firstNonFinite(among: tensors)
  }

  func makeImageStaging(slots: Int, for batch: ImageBatch) -> any ImageStaging {
    Staging(slots: slots, batch: batch, device: self)
  }

  func run(schedule: Int, telling progress: PhaseProgress?) throws(TrainerError) -> Bool {
    log.note { $0.runs += 1 }
    if log.total.runs == failsAt { throw TrainerError("the device of the tests has fallen off the bus") }
    try flush()
    return inner.run(schedule: schedule, telling: progress)
  }

  func check(schedule: Int) throws(TrainerError) -> NonFiniteResult? {
    try flush()
    return inner.check(schedule: schedule)
  }

  func startMeasuring() { inner.startMeasuring() }

  func measuredTimes() -> KernelTimes { inner.measuredTimes() }

  func startTimeline(runs: [(schedule: Int, count: Int)]) throws(TrainerError) -> Timeline {
    try inner.startTimeline(runs: runs)
  }

  func stopTimeline() { inner.stopTimeline() }

  func makeLimitMeter() throws(TrainerError) -> any LimitMeter { try inner.makeLimitMeter() }

  /// Images that are on the device once they have been announced; the device takes them on the trainer's thread.
  private final class Staging: ImageStaging, @unchecked Sendable {
    private let slots: TestStaging
    private let input: Manifest.Tensor
    private let labels: Manifest.Tensor?
    private let device: DeferredDevice

    init(slots: Int, batch: ImageBatch, device: DeferredDevice) {
      self.slots = TestStaging(slots: slots, samples: batch.input.shape[0], batch: batch)
      input = batch.input
      labels = batch.labels
      self.device = device
    }

    var slotCount: Int { slots.slotCount }
    var samplesPerSlot: Int { slots.samplesPerSlot }

    func write(_ sample: Sample, index: Int, slot: Int) { slots.write(sample, index: index, slot: slot) }

    func announce(slot: Int) {
      slots.announce(slot: slot)
      device.log.note { $0.announcements += 1 }
    }

    func upload(slot: Int, finish: BatchFinish) throws(TrainerError) {
      try slots.upload(slot: slot, finish: finish)
      device.log.note { $0.imageUploads += 1 }
      device.waiting.append(.upload(slots.input.withUnsafeBytes { Array($0) }, input))
      if let labels { device.waiting.append(.upload(slots.targets.withUnsafeBytes { Array($0) }, labels)) }
    }
  }
}
