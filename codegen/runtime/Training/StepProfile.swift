/// The timeline of a run's first steps, for chrome://tracing and Perfetto.
final class StepProfile {
  private let model: TrainedModel
  /// Where the timeline goes, until it is there.
  private var output: ReplacedFile?
  private let timeline: Timeline
  private var remaining: Int

  /// Begins to note what threads do, for `output`.
  init(of model: TrainedModel, batches: Int, processes: Int = 1, steps: Int, output: ReplacedFile) throws(TrainerError) {
    self.model = model
    self.output = output
    remaining = steps
    timeline = try model.startTimeline(batches: batches, processes: processes, steps: steps)
  }

  /// Takes note of images that were waited for from `start` until now.
  func noteImages(from start: UInt64) {
    if remaining > 0 { timeline.note("images", from: start, to: Clock.nanoseconds) }
  }

  /// Takes note of a step that began at `start` and ends now; writes the file after the last one.
  func note(step: Int, from start: UInt64) {
    guard remaining > 0 else { return }
    timeline.note("step \(step)", from: start, to: Clock.nanoseconds)
    remaining -= 1
    if remaining == 0 { write() }
  }

  /// Writes what there is where the run ends before the last step.
  func finish() {
    if remaining > 0 { write() }
    remaining = 0
  }

  /// Writes the file; where that fails, training is worth more than the profile.
  private func write() {
    model.device.stopTimeline()
    guard let output else { return }
    do {
      try ChromeTrace(timeline, of: model.program.manifest).write(to: output)
    } catch {
      Console.warn("no profile: \(error.message)")
    }
    self.output = nil
  }
}
