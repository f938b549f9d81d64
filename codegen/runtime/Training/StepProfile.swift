/// The timeline of a run's first steps, for chrome://tracing and Perfetto.
final class StepProfile {
  private let model: TrainedModel
  private let path: String
  private let timeline: Timeline
  private var remaining: Int

  /// Begins to note what threads do.
  init(of model: TrainedModel, batches: Int, steps: Int, path: String) throws(TrainerError) {
    self.model = model
    self.path = path
    remaining = steps
    timeline = try model.makeTimeline(batches: batches, steps: steps)
    model.executor.timeline = timeline
  }

  /// Takes note of images that were waited for from `start` until now.
  func noteImages(from start: UInt64) {
    if remaining > 0 { timeline.note("images", from: start, to: Clock.nanoseconds) }
  }

  /// Takes note of a step that began at `start` and ends now; writes the file after the last one.
  func note(step: Int, from start: UInt64) throws(TrainerError) {
    guard remaining > 0 else { return }
    timeline.note("step \(step)", from: start, to: Clock.nanoseconds)
    remaining -= 1
    if remaining == 0 { try write() }
  }

  /// Writes what there is where the run ends before the last step.
  func finish() throws(TrainerError) {
    if remaining > 0 { try write() }
    remaining = 0
  }

  private func write() throws(TrainerError) {
    model.executor.timeline = nil
    try ChromeTrace(timeline, calls: model.program.manifest.calls).write(to: path)
  }
}
