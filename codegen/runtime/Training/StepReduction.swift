import WaMIMManifest

/// What the ranks of a run do together in a step: they add up their gradients, and tell each other how it went.
///
/// Every rank takes part in every reduction, whatever has happened to its own batches; whether the step counts is known at its end.
package final class StepReduction {
  /// What reductions have taken in all.
  package struct Times: Sendable {
    /// From each first chunk to the last result.
    package var seconds = 0.0
    /// The seconds of them in which nothing was left to compute.
    package var waited = 0.0
    /// Bytes that this rank has sent.
    package var sentBytes = 0

    package init() {}
  }

  let group: RankGroup
  package private(set) var times = Times()

  private let model: TrainedModel
  private let chunks: [GradientChunk]
  private let unreadable: UnreadableImages
  private var progress = PhaseProgress()
  private var reduction: ChainReduction?

  /// - Parameters:
  ///   - unreadable: The images that ranks could not read, which the first one lists.
  ///   - overlaps: Whether gradients leave while others are computed, and not only when all have been. Nil: where there is a network to
  ///     wait for. On one machine, sending then takes the processors from computing, and takes less of them afterwards.
  ///   - elementsOfChunk: What ranks send at a time: as many as keep every link of the chain busy soon, and messages worth their trouble.
  package init(
    _ group: RankGroup, _ model: TrainedModel, unreadable: UnreadableImages = UnreadableImages(), overlaps: Bool? = nil,
    elementsOfChunk: Int = 1 << 17
  ) throws(TrainerError) {
    self.group = group
    self.model = model
    self.unreadable = unreadable
    let overlaps = overlaps ?? !group.isOnOneMachine
    chunks = try GradientChunks.of(model.program, count: elementsOfChunk).map { chunk in
      overlaps ? chunk : GradientChunk(elements: chunk.elements, lastPhase: .max - 1)
    }
  }

  /// Forgets what reductions have taken so far.
  func startMeasuring() { times = Times() }

  /// Begins to send gradients as they become final in the schedule that tells the result how far it is.
  func begin() throws(TrainerError) -> PhaseProgress {
    progress = PhaseProgress()
    guard let link = group.link else { return progress }
    let reduction = ChainReduction(
      link.messenger, chunks, gradients: try model.device.lendGradients(), progress: progress, owner: model.device)
    self.reduction = reduction
    link.begin { () throws(TrainerError) in try link.carryOut { () throws(TrainerError) in try reduction.advance() } }
    return progress
  }

  /// Waits for the sums, and says what became of the step: what `own` says of this rank's batches, where that is decisive.
  ///
  /// - Parameters:
  ///   - own: What kept this rank from making its rounds, or nil.
  ///   - losses: The mean losses of this rank's batches, which become those of all ranks.
  /// - Throws: `toldElsewhere` where another rank's batches are why the run ends.
  func finish(_ own: OptimizerStep.Result?, losses: inout Losses) throws(TrainerError) -> OptimizerStep.Result? {
    if reduction == nil { _ = try begin() }
    progress.noteAll()
    let start = Clock.nanoseconds
    try group.link?.wait()
    note(waitedSince: start)
    let reports = try group.exchange(
      RankReport(fate: .init(own), losses: losses, unreadable: group.isFirst ? [] : unreadable.takeNew()).bytes
    ).map { (bytes) throws(TrainerError) in try RankReport(bytes: bytes) }
    if group.isFirst {
      for image in reports.flatMap(\.unreadable) { try unreadable.insert(image.index, name: image.name, reason: image.reason) }
    }
    let fates = reports.map(\.fate)
    guard fates.contains(where: { $0 != .made }) else {
      losses = RankReport.meanLosses(reports)
      return nil
    }
    try model.device.clearAccumulators()
    if let failed = fates.firstIndex(of: .failed) {
      guard failed == group.rank else { try group.awaitFailure() }
      return own
    }
    return .interrupted
  }

  private func note(waitedSince start: UInt64) {
    guard let reduction else { return }
    let waited = Double(Clock.nanoseconds - start) * 1e-9
    times.seconds += max(waited, reduction.times.seconds)
    times.waited += waited
    times.sentBytes += reduction.times.sentBytes
    self.reduction = nil
  }
}

/// What a rank tells the others of its batches of a step.
private struct RankReport {
  enum Fate: UInt64 {
    case made, interrupted, failed

    init(_ result: OptimizerStep.Result?) {
      switch result {
      case nil, .made: self = .made
      case .interrupted: self = .interrupted
      case .left, .found: self = .failed
      }
    }
  }

  var fate: Fate
  var losses: Losses
  var unreadable: [UnreadableImages.Entry]

  init(fate: Fate, losses: Losses, unreadable: [UnreadableImages.Entry]) {
    (self.fate, self.losses, self.unreadable) = (fate, losses, unreadable)
  }

  var bytes: [UInt8] {
    var writer = BinaryWriter()
    writer.append(fate.rawValue)
    writer.append(losses.total.bitPattern)
    writer.append(UInt64(losses.targets.count))
    for loss in losses.targets { writer.append(loss.bitPattern) }
    for image in unreadable {
      writer.append(UInt64(image.index))
      writer.appendCounted(Array(image.name.utf8))
      writer.appendCounted(Array(image.reason.utf8))
    }
    return writer.bytes
  }

  init(bytes: [UInt8]) throws(TrainerError) {
    var reader = BinaryReader(bytes[...])
    guard let fate = reader.next().flatMap(Fate.init(rawValue:)), let total = reader.next(),
      let targets = reader.nextArray({ $0.next().map(Double.init(bitPattern:)) })
    else { throw TrainerError("the ranks run trainers of different versions") }
    (self.fate, unreadable) = (fate, [])
    losses = Losses(total: Double(bitPattern: total), targets: targets)
    while let index = reader.next(), let name = reader.nextCounted(), let reason = reader.nextCounted() {
      unreadable.append(
        .init(
          index: Int(truncatingIfNeeded: index), name: String(decoding: name, as: UTF8.self),
          reason: String(decoding: reason, as: UTF8.self)))
    }
  }

  /// The means over the ranks, which take as many batches each.
  static func meanLosses(_ reports: [RankReport]) -> Losses {
    let count = Double(reports.count)
    let targets = (reports.first?.losses.targets ?? []).indices.map { index in
      reports.reduce(0.0) { $0 + ($1.losses.targets.indices.contains(index) ? $1.losses.targets[index] : .nan) } / count
    }
    return Losses(total: reports.reduce(0.0) { $0 + $1.losses.total } / count, targets: targets)
  }
}
