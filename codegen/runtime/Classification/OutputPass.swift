import CPlatform
import WaMIMManifest

/// An output of an evaluating schedule, a row for each image, of every image of a source once and in order.
package struct OutputPass {
  private let model: TrainedModel
  private let source: any ImageSource
  private let batch: ImageBatch
  private let loaders: Int
  private let unreadable: UnreadableImages
  private let role: ScheduleRole
  private let output: Manifest.Tensor

  /// - Parameters:
  ///   - output: The output of the schedule `role`, [samples, width].
  ///   - batch: How the model takes its images.
  ///   - unreadable: Takes note of the images that cannot be read, which are left out.
  package init(
    _ model: TrainedModel, output name: String, of role: ScheduleRole, source: any ImageSource, batch: ImageBatch, loaders: Int,
    unreadable: UnreadableImages
  ) throws(TrainerError) {
    self.model = model
    self.source = source
    self.batch = batch
    self.loaders = loaders
    self.unreadable = unreadable
    self.role = role
    output = try model.output(name, of: role)
    guard output.shape.count == 2, output.shape[0] == batch.input.shape[0], output.type == .float32 else {
      throw TrainerError("this program's output `\(name)` is not of the shape [batch, width], which this command needs")
    }
  }

  /// Whether `program` has the output `name` of the schedule `role`.
  static func hasOutput(_ name: String, of role: ScheduleRole, in program: Program) -> Bool {
    program.manifest.schedules.first { $0.role == role }?.outputs.contains { $0.tensor.name == name } ?? false
  }

  /// Numbers for each image.
  package var width: Int { output.shape[1] }

  /// Calls `body` with the number of each image that can be read and its row.
  ///
  /// - Returns: Whether all images had their turn: not where an interruption asked to stop.
  package func run(_ body: (_ index: Int, _ row: ArraySlice<Float>) throws(TrainerError) -> Void) throws(TrainerError) -> Bool {
    let samples = batch.input.shape[0]
    let order = EpochOrder(allOf: source.count, batch: samples)
    let loader = try BatchLoader(
      source: source, order: order, staging: try model.makeImageStaging(for: batch), augmentation: batch.augmentation,
      steps: 0..<order.stepsPerEpoch, threads: loaders, unreadable: unreadable)
    defer { loader.stop() }
    for step in 0..<order.stepsPerEpoch {
      let isInterrupted = { wamim_interruption() != 0 }
      guard !isInterrupted(), try loader.next(isInterrupted: isInterrupted) != nil else { return false }
      try model.fillNoise(seed: 0, step: step, round: 0)
      try model.run(role)
      let values = try model.values(output)
      for sample in 0..<samples {
        let index = step * samples + sample
        guard index < source.count, !unreadable.contains(index) else { continue }
        let row = values[sample * width..<(sample + 1) * width]
        guard row.allSatisfy(\.isFinite) else {
          throw TrainerError("what the model says of \(source.name(at: index)) is not finite")
        }
        try body(index, row)
      }
    }
    guard unreadable.count < source.count else { throw TrainerError("none of the \(source.count) images can be read") }
    return true
  }
}
