import Glibc

/// The learning rate by fractional epoch: a linear warm-up, then half a cosine down to 0.
package struct LearningRateSchedule: Sendable {
  /// The rate at the end of the warm-up.
  package let peak: Double
  package let epochs: Double
  package let warmupEpochs: Double

  /// - Parameters:
  ///   - baseLearningRate: The rate for a batch of 256 images.
  ///   - batch: Images a step.
  package init(baseLearningRate: Double, batch: Int, epochs: Double, warmupEpochs: Double) {
    peak = baseLearningRate * Double(batch) / 256
    self.epochs = epochs
    self.warmupEpochs = warmupEpochs
  }

  /// The rate after `epoch` epochs.
  package func rate(at epoch: Double) -> Double {
    if epoch < warmupEpochs { return peak * epoch / warmupEpochs }
    guard epochs > warmupEpochs else { return peak }
    let progress = min(1, (epoch - warmupEpochs) / (epochs - warmupEpochs))
    return peak * 0.5 * (1 + cos(Double.pi * progress))
  }
}
