import Glibc
import WaMIMManifest

/// MAE's linear probe (arXiv 2111.06377) on features that are kept: batch norm without scale and shift, then a linear map, trained by LARS
/// or gradient descent with momentum on cross-entropy.
package final class LinearProbe {
  /// What training is told.
  package struct Options: Sendable {
    package var epochs = 90
    package var warmup = 10
    /// For a batch of 256.
    package var baseLearningRate = 0.1
    package var momentum: Float = 0.9
    package var weightDecay: Float = 0
    /// LARS's trust coefficient, or nil for plain gradient descent.
    package var trust: Float? = 0.001
    /// The most images of a step.
    package var largestBatch = 16_384
    package var seed: UInt64 = 0

    package init() {}
  }

  private static let epsilon: Float = 1e-6
  private static let statisticsMomentum: Float = 0.1

  private let classes: Int
  private let width: Int
  private let ranges: ParallelRanges
  /// The linear map, [classes, width], and its bias.
  package let weight: SharedMatrix
  package let bias: SharedMatrix
  private let weightVelocity: SharedMatrix
  private let biasVelocity: SharedMatrix
  package var runningMean: [Float]
  package var runningVariance: [Float]

  /// A probe whose weight is drawn from a normal distribution of deviation 0.01.
  package init(width: Int, classes: Int, threads: Int, seed: UInt64) {
    (self.width, self.classes) = (width, classes)
    ranges = ParallelRanges(threads: threads)
    weight = SharedMatrix(rows: classes, columns: width)
    InitialValues.fill(weight.elements, of: "head.1.weight", by: .normal(standardDeviation: 0.01), seed: seed)
    bias = SharedMatrix(rows: 1, columns: classes)
    weightVelocity = SharedMatrix(rows: classes, columns: width)
    biasVelocity = SharedMatrix(rows: 1, columns: classes)
    runningMean = Array(repeating: 0, count: width)
    runningVariance = Array(repeating: 1, count: width)
  }

  /// Trains on `table`, all of whose labels are below the number of classes; `report` is told each epoch's mean loss.
  package func train(
    on table: FeatureTable, _ options: Options, report: (_ epoch: Int, _ loss: Double) -> Void = { _, _ in }
  ) throws(TrainerError) {
    let features = SharedMatrix(table.values, columns: width)
    let batch = min(options.largestBatch, table.count)
    let order = EpochOrder(images: table.count, batch: batch, seed: options.seed)
    var losses = 0.0
    for step in 0..<options.epochs * order.stepsPerEpoch {
      let epoch = step / order.stepsPerEpoch
      let position = step % order.stepsPerEpoch
      if position == 0 { losses = 0 }
      let images = order.permutation(epoch: epoch)[position * batch..<(position + 1) * batch]
      let progress = Double(step) / Double(order.stepsPerEpoch)
      let rate = Self.learningRate(at: progress, options, batch: batch)
      losses += try self.step(
        features, images: Array(images), labels: images.map { table.labels[Int($0)] }, rate: Float(rate), options)
      if position == order.stepsPerEpoch - 1 { report(epoch, losses / Double(order.stepsPerEpoch)) }
    }
  }

  /// A linear warm-up, then half a cosine down to 0.
  private static func learningRate(at epoch: Double, _ options: Options, batch: Int) -> Double {
    let peak = options.baseLearningRate * Double(batch) / 256
    let warmup = Double(min(options.warmup, options.epochs))
    if epoch < warmup { return peak * epoch / warmup }
    let rest = max(Double(options.epochs) - warmup, .leastNormalMagnitude)
    return peak * 0.5 * (1 + cos(.pi * (epoch - warmup) / rest))
  }

  /// Makes one step on the rows `images` of `features`, and returns their mean loss.
  package func step(
    _ features: SharedMatrix, images: [Int32], labels: [Int32], rate: Float, _ options: Options
  ) throws(TrainerError) -> Double {
    let (mean, variance) = statistics(features, images)
    let rows = try normalized(features, images, mean, variance)
    follow(mean, variance, count: images.count)
    let errors = SharedMatrix(rows: images.count, columns: classes)
    let losses = SharedMatrix(rows: images.count, columns: 1)
    try score(rows, into: errors)
    let share = 1 / Float(images.count)
    try ranges.run(images.count, size: 64) { range in
      for index in range {
        let row = errors[index]
        let label = Int(labels[index])
        losses[index][0] = Self.loss(row, label: label)
        row[label] -= 1
        for category in row.indices { row[category] *= share }
      }
    }
    try update(rows, errors, rate: rate, options)
    return losses.elements.reduce(0) { $0 + Double($1) } / Double(images.count)
  }

  /// Makes logits probabilities, and returns the loss of the class `label`.
  private static func loss(_ row: UnsafeMutableBufferPointer<Float>, label: Int) -> Float {
    let largest = row.max() ?? 0
    let own = row[label] - largest
    var sum: Float = 0
    for index in row.indices {
      row[index] = exp(row[index] - largest)
      sum += row[index]
    }
    for index in row.indices { row[index] /= sum }
    return log(sum) - own
  }

  /// The logits of features, by the running statistics, a row [classes] each.
  package func logits(_ table: FeatureTable) throws(TrainerError) -> [Float] {
    let features = SharedMatrix(table.values, columns: width)
    let rows = try normalized(features, (0..<Int32(table.count)).map { $0 }, runningMean, runningVariance)
    let logits = SharedMatrix(rows: table.count, columns: classes)
    try score(rows, into: logits)
    return Array(logits.elements)
  }
}

// MARK: Arithmetic

extension LinearProbe {
  /// The mean and the biased variance of each channel.
  private func statistics(_ features: SharedMatrix, _ images: [Int32]) -> (mean: [Float], variance: [Float]) {
    var sums = [Double](repeating: 0, count: width)
    for image in images {
      let row = features[Int(image)]
      for channel in 0..<width { sums[channel] += Double(row[channel]) }
    }
    let means = sums.map { $0 / Double(images.count) }
    var squares = [Double](repeating: 0, count: width)
    for image in images {
      let row = features[Int(image)]
      for channel in 0..<width {
        let off = Double(row[channel]) - means[channel]
        squares[channel] += off * off
      }
    }
    return (means.map { Float($0) }, squares.map { Float($0 / Double(images.count)) })
  }

  private func normalized(
    _ features: SharedMatrix, _ images: [Int32], _ mean: [Float], _ variance: [Float]
  ) throws(TrainerError) -> SharedMatrix {
    let rows = SharedMatrix(rows: images.count, columns: width)
    let scale = variance.map { 1 / ($0 + Self.epsilon).squareRoot() }
    try ranges.run(images.count, size: 256) { range in
      for index in range {
        let (source, target) = (features[Int(images[index])], rows[index])
        for channel in target.indices { target[channel] = (source[channel] - mean[channel]) * scale[channel] }
      }
    }
    return rows
  }

  /// Lets the running statistics follow those of a batch, the variance unbiased.
  private func follow(_ mean: [Float], _ variance: [Float], count: Int) {
    let (kept, taken) = (1 - Self.statisticsMomentum, Self.statisticsMomentum)
    let unbiased = Float(count) / Float(max(1, count - 1))
    for channel in 0..<width {
      runningMean[channel] = kept * runningMean[channel] + taken * mean[channel]
      runningVariance[channel] = kept * runningVariance[channel] + taken * variance[channel] * unbiased
    }
  }

  /// Writes rows · weightᵀ + bias to `logits`.
  private func score(_ rows: SharedMatrix, into logits: SharedMatrix) throws(TrainerError) {
    let (weight, bias, classes) = (weight, bias, classes)
    try ranges.run(rows.rows, size: 64) { range in
      for start in stride(from: 0, to: classes, by: 4) {
        let columns = (0..<4).map { min(start + $0, classes - 1) }
        for index in range {
          let dots = RowArithmetic.dot(rows[index], weight[columns[0]], weight[columns[1]], weight[columns[2]], weight[columns[3]])
          for lane in 0..<min(4, classes - start) { logits[index][start + lane] = dots[lane] + bias[0][start + lane] }
        }
      }
    }
  }

  /// Moves weight and bias by the gradients that `errors`, those of the logits, give.
  private func update(_ rows: SharedMatrix, _ errors: SharedMatrix, rate: Float, _ options: Options) throws(TrainerError) {
    let gradient = SharedMatrix(rows: classes, columns: width)
    let biasGradient = SharedMatrix(rows: 1, columns: classes)
    let weight = weight
    try ranges.run(classes, size: 4) { range in
      for category in range {
        let target = gradient[category]
        for index in 0..<rows.rows {
          let error = errors[index][category]
          biasGradient[0][category] += error
          RowArithmetic.add(rows[index], times: error, to: target)
        }
        RowArithmetic.add(weight[category], times: options.weightDecay, to: target)
      }
    }
    var scale: Float = 1
    if let trust = options.trust {
      let (own, other) = (norm(weight), norm(gradient))
      if own > 0 && other > 0 { scale = trust * own / other }
    }
    move(weight, weightVelocity, gradient, scale: scale, rate: rate, momentum: options.momentum)
    move(bias, biasVelocity, biasGradient, scale: 1, rate: rate, momentum: options.momentum)
  }

  private func norm(_ matrix: SharedMatrix) -> Float {
    Float(matrix.elements.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot())
  }

  private func move(
    _ matrix: SharedMatrix, _ velocity: SharedMatrix, _ gradient: SharedMatrix, scale: Float, rate: Float, momentum: Float
  ) {
    for index in matrix.elements.indices {
      velocity.elements[index] = momentum * velocity.elements[index] + scale * gradient.elements[index]
      matrix.elements[index] -= rate * velocity.elements[index]
    }
  }
}
