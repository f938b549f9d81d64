/// One line of metrics.jsonl: what one step did.
package struct MetricsLine: Codable, Sendable, Equatable {
  /// Steps done, this one included.
  package var step: Int
  /// Epochs done, a fraction.
  package var epoch: Double
  package var loss: Float
  /// The loss of each target.
  package var losses: [Float]
  /// The learning rate that the step used.
  package var learningRate: Float
  package var imagesPerSecond: Double

  private enum CodingKeys: String, CodingKey {
    case step, epoch, loss, losses
    case learningRate = "learning_rate"
    case imagesPerSecond = "images_per_second"
  }

  package init(
    step: Int, epoch: Double, loss: Float, losses: [Float], learningRate: Float, imagesPerSecond: Double
  ) {
    self.step = step
    self.epoch = epoch
    self.loss = loss
    self.losses = losses
    self.learningRate = learningRate
    self.imagesPerSecond = imagesPerSecond
  }
}
