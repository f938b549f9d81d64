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
  /// The rates of all layers, from the embedding to the head, where they differ; at the steps that TensorBoard is told.
  package var layerRates: [Float]?
  package var imagesPerSecond: Double
  /// The share of the step's time that went by waiting for images.
  package var waitingForData: Double
  /// The Euclidean norm of all gradients of the step, and of all parameters after it; at the steps that TensorBoard is told.
  package var gradientNorm: Double?
  package var parameterNorm: Double?

  private enum CodingKeys: String, CodingKey {
    case step, epoch, loss, losses
    case learningRate = "learning_rate"
    case layerRates = "layer_learning_rates"
    case imagesPerSecond = "images_per_second"
    case waitingForData = "waiting_for_data"
    case gradientNorm = "gradient_norm"
    case parameterNorm = "parameter_norm"
  }

  package init(
    step: Int, epoch: Double, loss: Float, losses: [Float], learningRate: Float, imagesPerSecond: Double, waitingForData: Double
  ) {
    self.step = step
    self.epoch = epoch
    self.loss = loss
    self.losses = losses
    self.learningRate = learningRate
    self.imagesPerSecond = imagesPerSecond
    self.waitingForData = waitingForData
  }
}
