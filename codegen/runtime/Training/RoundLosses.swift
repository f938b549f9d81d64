import WaMIMManifest

/// The loss, and that of each target.
package struct Losses: Sendable, Equatable {
  package var total: Double
  /// Those of each target, where the program tells them.
  package var targets: [Double]
}

/// The losses that rounds of a schedule leave, put together to those of the batches that they make up.
package struct RoundLosses {
  private let model: TrainedModel
  private let outputs: [Manifest.Output]
  private var sums: [Double]
  private var rounds = 0

  /// Takes the outputs `loss`, `loss.0`, `loss.1`, … of `schedule`, as many as there are.
  package init(_ model: TrainedModel, schedule role: ScheduleRole) {
    self.model = model
    let schedule = model.program.manifest.schedules.first { $0.role == role }
    let scalars = Dictionary((schedule?.outputs ?? []).map { ($0.tensor.name, $0) }) { first, _ in first }
    var outputs = scalars["loss"].map { [$0] } ?? []
    while let target = scalars["loss.\(outputs.count - 1)"] { outputs.append(target) }
    self.outputs = outputs
    sums = outputs.map { _ in 0 }
  }

  /// Takes in what the last run of the schedule left.
  package mutating func addRound() throws(TrainerError) {
    guard !outputs.isEmpty else { throw TrainerError("this program tells no loss") }
    for (index, value) in try model.device.downloadScalars(outputs.map(\.tensor)).enumerated() { sums[index] += Double(value) }
    rounds += 1
  }

  /// The mean losses over `batches` batches, all of whose rounds have been taken in.
  package func means(ofBatches batches: Int) -> Losses {
    let means = zip(sums, outputs).map { sum, output in
      // Micro-batches give shares of its loss, and a loss that has nothing to do with samples is the same for each of them.
      sum / Double(output.combination == .sum ? batches : rounds)
    }
    return Losses(total: means.first ?? 0, targets: Array(means.dropFirst()))
  }
}
