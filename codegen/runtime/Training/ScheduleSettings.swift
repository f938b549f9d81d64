/// What the program's schedule of the learning rate is told about a run; the rate itself the program works out.
package struct ScheduleSettings: Sendable {
  package let epochs: Double
  package let warmupEpochs: Double
  /// The learning rate at the end of the warm-up.
  package let peak: Double
  /// The learning rate at the end of the run.
  package let minimum: Double

  /// - Parameters:
  ///   - baseLearningRate: The rate at the end of the warm-up, for a batch of 256 images.
  ///   - minimum: The rate at the end of the run, whatever the number of images.
  ///   - batch: Images a step.
  package init(baseLearningRate: Double, minimum: Double = 0, batch: Int, epochs: Double, warmupEpochs: Double) {
    self.epochs = epochs
    self.warmupEpochs = warmupEpochs
    peak = baseLearningRate * Double(batch) / 256
    self.minimum = minimum
  }

  /// The same rate in every step.
  package init(constant rate: Double) {
    (epochs, warmupEpochs, peak, minimum) = (1, 0, rate, rate)
  }
}

extension TrainedModel {
  /// Sets what the schedule of the learning rate takes for a step that comes after `progress` epochs.
  package func setSchedule(_ settings: ScheduleSettings, progress: Double) {
    setInput(.progress, to: progress)
    setInput(.epochs, to: settings.epochs)
    setInput(.warmupEpochs, to: settings.warmupEpochs)
    setInput(.peakLearningRate, to: settings.peak)
    setInput(.minimumLearningRate, to: settings.minimum)
  }
}
