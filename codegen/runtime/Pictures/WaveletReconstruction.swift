import WaMIMManifest

/// Rebuilds an image from predicted wavelet coefficients where the model didn't see it, and from its own where it did.
package struct WaveletReconstruction {
  /// The levels that the model predicts, one for each prediction; 1 is the finest.
  package let levels: [Int]
  /// Coefficients of a channel: 3 (LH, HL, HH), or 4 with LL before them.
  package let subbands: Int
  package let normalization: Normalization
  /// The transform whose coefficients the model predicts.
  let transform: WaveletTransform

  /// How targets were normalised: over positions, over the channels of a position, or not at all.
  package enum Normalization: String, Sendable {
    case none, subband, token
  }

  /// What the targets' standard deviation has under its root besides the variance.
  private static let epsilon: Float = 1e-6

  package init(wavelet: Wavelet, levels: [Int], subbands: Int, normalization: Normalization) {
    transform = WaveletTransform(wavelet)
    self.levels = levels
    self.subbands = subbands
    self.normalization = normalization
  }

  /// What a picture takes from the input, for its caption.
  package var explanation: String {
    let deepest = levels.max() ?? 0
    let missing = (1...max(1, deepest)).filter { !levels.contains($0) }
    func list(_ levels: [Int]) -> String { levels.sorted().map(String.init).joined(separator: ", ") }
    let kept =
      switch normalization {
      case .none: "Visible details and LL of level \(deepest)"
      case .subband: "Visible details, LL of level \(deepest), and mean and deviation of each subband"
      case .token: "Visible details, LL of level \(deepest), and mean and deviation at each position"
      }
    return "Hidden details are predicted at levels \(list(levels))"
      + (missing.isEmpty ? "" : ", left out at level \(list(missing))")
      + ". \(kept) are the input's."
  }

  /// The picture of one image.
  ///
  /// The coarsest picture, LL of the deepest level, is the input's. Details of hidden positions are the predicted ones, or zero at a
  /// level that the model does not predict; those of visible positions are the input's.
  ///
  /// - Parameters:
  ///   - image: The input, normalised.
  ///   - predictions: For each of `levels`, [channels · subbands, height, width], normalised as the targets.
  package func rebuild(_ image: Planes, predictions: [Planes], mask: PatchMask) -> Planes {
    let analyzed = analyze(image)
    guard var picture = analyzed.last?.coarse else { return image }
    for index in analyzed.indices.reversed() {
      let level = analyzed[index]
      let prediction = levels.firstIndex(of: index + 1).flatMap { $0 < predictions.count ? predictions[$0] : nil }
      let predicted = prediction.map { denormalized($0, like: level) }
      let details = merged(level.details, predicted: predicted, mask: mask)
      picture = transform.synthesize(WaveletTransform.Level(coarse: picture, details: details))
    }
    return picture
  }

  /// The details of each predicted level, the finest first: the input's, and the predicted ones on their scale.
  package func details(of image: Planes, predictions: [Planes]) -> [(target: Planes, prediction: Planes)] {
    let analyzed = analyze(image)
    return zip(levels, predictions).sorted { $0.0 < $1.0 }.map { level, prediction in
      (analyzed[level - 1].details, denormalized(prediction, like: analyzed[level - 1]))
    }
  }

  /// Every level of `image` down to the deepest that is predicted.
  private func analyze(_ image: Planes) -> [WaveletTransform.Level] {
    var analyzed: [WaveletTransform.Level] = []
    for _ in 0..<(levels.max() ?? 0) { analyzed.append(transform.analyze(analyzed.last?.coarse ?? image)) }
    return analyzed
  }

  /// The input's details where it is visible, and the predicted ones, or zeros, where it is hidden.
  private func merged(_ details: Planes, predicted: Planes?, mask: PatchMask) -> Planes {
    var result = details
    for row in 0..<details.height {
      for column in 0..<details.width where mask.isHidden(row: row, column: column, height: details.height, width: details.width) {
        for channel in 0..<details.channels { result[channel, row, column] = predicted?[channel, row, column] ?? 0 }
      }
    }
    return result
  }

  /// The details of `prediction` on the scale of the input's coefficients.
  private func denormalized(_ prediction: Planes, like level: WaveletTransform.Level) -> Planes {
    let own = coefficients(of: level)
    var scaled = prediction
    let (channels, positions) = (own.channels, own.height * own.width)
    switch normalization {
    case .none: break
    case .subband:
      for channel in 0..<channels {
        let range = channel * positions..<(channel + 1) * positions
        let (mean, deviation) = Self.statistics(own.values[range])
        for index in range { scaled.values[index] = prediction.values[index] * deviation + mean }
      }
    case .token:
      for position in 0..<positions {
        let indices = (0..<channels).map { $0 * positions + position }
        let (mean, deviation) = Self.statistics(indices.map { own.values[$0] }[...])
        for index in indices { scaled.values[index] = prediction.values[index] * deviation + mean }
      }
    }
    return subbands == 4 ? Self.detailsOnly(scaled) : scaled
  }

  /// The input's own coefficients, in the layout of the predictions.
  private func coefficients(of level: WaveletTransform.Level) -> Planes {
    guard subbands == 4 else { return level.details }
    let positions = level.coarse.height * level.coarse.width
    var values: [Float] = []
    for channel in 0..<level.coarse.channels {
      values += level.coarse.values[channel * positions..<(channel + 1) * positions]
      values += level.details.values[3 * channel * positions..<3 * (channel + 1) * positions]
    }
    return Planes(channels: 4 * level.coarse.channels, height: level.coarse.height, width: level.coarse.width, values: values)
  }

  /// Leaves out LL, the first of every four channels.
  private static func detailsOnly(_ planes: Planes) -> Planes {
    let positions = planes.height * planes.width
    var values: [Float] = []
    for channel in 0..<planes.channels where channel % 4 != 0 {
      values += planes.values[channel * positions..<(channel + 1) * positions]
    }
    return Planes(channels: planes.channels / 4 * 3, height: planes.height, width: planes.width, values: values)
  }

  /// The mean and the standard deviation by which targets are normalised.
  private static func statistics(_ values: ArraySlice<Float>) -> (mean: Float, deviation: Float) {
    let mean = values.reduce(0, +) / Float(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(values.count)
    return (mean, (variance + epsilon).squareRoot())
  }
}
