import Glibc
import WaMIMManifest

/// What AdamW is told in each step, beside the learning rate.
package struct OptimizerSettings: Sendable, Equatable {
  /// The share that the mean of gradients keeps of itself in a step, and that which the mean of their squares does.
  package var firstBeta: Double
  package var secondBeta: Double
  /// What is added to the root of the second mean before it divides the first.
  package var epsilon: Double
  package var weightDecay: Double

  package init(firstBeta: Double, secondBeta: Double, epsilon: Double, weightDecay: Double) {
    self.firstBeta = firstBeta
    self.secondBeta = secondBeta
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }

  /// The model's own settings.
  package init(_ training: Manifest.Training) {
    let usual = Manifest.Training().betas
    let betas = training.betas.count == usual.count ? training.betas : usual
    self.init(firstBeta: betas[0], secondBeta: betas[1], epsilon: training.epsilon, weightDecay: training.weightDecay)
  }
}

extension TrainedModel {
  /// Sets what the optimiser takes for `step`, which counts from 1.
  package func setOptimizer(_ settings: OptimizerSettings, step: Int) {
    func correction(_ beta: Double) -> Double { 1 / (1 - pow(beta, Double(step))) }
    setInput(.firstBeta, to: settings.firstBeta)
    setInput(.secondBeta, to: settings.secondBeta)
    setInput(.firstMomentCorrection, to: correction(settings.firstBeta))
    setInput(.secondMomentCorrection, to: correction(settings.secondBeta))
    setInput(.epsilon, to: settings.epsilon)
    setInput(.weightDecay, to: settings.weightDecay)
  }
}
