import WaMIMGraph

/// Normalises each channel, the last axis, over everything else: batch norm (Ioffe and Szegedy, arXiv 1502.03167), as PyTorch has it.
///
/// In training it uses the batch's mean and biased variance, and lets the running ones follow, the variance unbiased; in evaluation it uses
/// the running ones. It couples the samples of a batch, so that a batch with it cannot be cut.
public struct BatchNorm {
  public var epsilon: Float
  /// What a step takes over into the running statistics.
  public var momentum: Float
  /// Whether each channel is scaled and shifted by parameters.
  public var isAffine: Bool

  public init(epsilon: Float = 1e-5, momentum: Float = 0.1, isAffine: Bool = true) {
    self.epsilon = epsilon
    self.momentum = momentum
    self.isAffine = isAffine
  }

  public func callAsFunction(_ x: Tensor, name: String) -> Tensor {
    let builder = x.builder
    return builder.scoped(name) {
      guard x.shape.rank >= 2 else {
        builder.fail("a batch norm takes a tensor of at least two axes, not \(x.type)")
        return x
      }
      let normalized = normalized(x)
      guard isAffine else { return normalized }
      let weight = builder.parameter("weight", [x.shape[-1]], .constant(1))
      let bias = builder.parameter("bias", [x.shape[-1]], .constant(0))
      return normalized * weight + bias
    }
  }

  private func normalized(_ x: Tensor) -> Tensor {
    let builder = x.builder
    let width = x.shape[-1]
    let mean = builder.add(.state(name: builder.qualified("running_mean"), shape: [width], role: .buffer))
    let variance = builder.add(.state(name: builder.qualified("running_var"), shape: [width], role: .buffer, start: 1))
    guard builder.isTraining else { return (x - mean) * (variance + epsilon).applying(.reciprocalSquareRoot) }
    let count = x.shape.count / width
    guard count > 1 else {
      builder.fail("a batch norm in training needs more than one value a channel, but takes \(x.type)")
      return x
    }
    let axes = Array(0..<x.shape.rank - 1)
    let batchMean = x.mean(axes)
    let centred = x - batchMean
    let batchVariance = (centred * centred).mean(axes)
    update(mean, toward: batchMean)
    update(variance, toward: batchVariance * (Float(count) / Float(count - 1)))
    return centred * (batchVariance + epsilon).applying(.reciprocalSquareRoot)
  }

  /// Lets a running statistic follow that of a batch.
  private func update(_ state: Tensor, toward value: Tensor) {
    let builder = state.builder
    let outer = builder.region
    builder.region = .update
    defer { builder.region = outer }
    builder.update(state, to: state * (1 - momentum) + value.reshaped(state.shape) * momentum)
  }
}
