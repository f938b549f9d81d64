/// A line of metrics.jsonl after an epoch: how the model does on images that it is not trained on.
package struct ValidationLine: Codable, Sendable, Equatable {
  package var step: Int
  package var epoch: Double
  /// What was found of the parameters.
  package var figures: ValidationFigures
  /// The same of their running means, where the run keeps them.
  package var averaged: ValidationFigures?

  private enum CodingKeys: String, CodingKey {
    case step, epoch
    case averaged = "ema"
  }

  package init(step: Int, epoch: Double, figures: ValidationFigures, averaged: ValidationFigures? = nil) {
    (self.step, self.epoch, self.figures, self.averaged) = (step, epoch, figures, averaged)
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    step = try container.decode(Int.self, forKey: .step)
    epoch = try container.decode(Double.self, forKey: .epoch)
    averaged = try container.decodeIfPresent(ValidationFigures.self, forKey: .averaged)
    figures = try ValidationFigures(from: decoder)
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(step, forKey: .step)
    try container.encode(epoch, forKey: .epoch)
    try container.encodeIfPresent(averaged, forKey: .averaged)
    // Beside the others.
    try figures.encode(to: encoder)
  }
}

/// What an evaluation finds.
package struct ValidationFigures: Codable, Sendable, Equatable {
  /// The mean loss; nil where there are only nearest neighbours to tell.
  package var loss: Double?
  /// The loss of each target.
  package var losses: [Double]?
  /// Shares of images whose class is among the first guesses, by names such as `top1`; of a classifier.
  package var accuracy: [String: Double]?
  /// Shares of images whose nearest neighbours tell their class, by names such as `top1`.
  package var neighbourAccuracy: [String: Double]?

  private enum CodingKeys: String, CodingKey {
    case loss = "validation_loss"
    case losses = "validation_losses"
    case accuracy = "validation_accuracy"
    case neighbourAccuracy = "knn_accuracy"
  }

  package init() {}

  /// Whether there is anything to tell.
  package var isEmpty: Bool { self == ValidationFigures() }

  /// The figures in words, such as `validation loss 0.3456, top-1 91.25 %`.
  var summary: String {
    var words: [String] = []
    if let loss { words.append("validation loss \(Format.fixed(loss, decimals: 4))") }
    words += Self.words(accuracy, "")
    words += Self.words(neighbourAccuracy, " of neighbours")
    return words.joined(separator: ", ")
  }

  private static func words(_ shares: [String: Double]?, _ suffix: String) -> [String] {
    (shares ?? [:]).sorted { ($0.key.count, $0.key) < ($1.key.count, $1.key) }.map { name, share in
      "\(name.replacing("top", with: "top-").replacing("_", with: " ")) \(Format.fixed(100 * share, decimals: 2)) %\(suffix)"
    }
  }
}
