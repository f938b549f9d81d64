import WaMIMGraph

/// Gradient descent with momentum and L2 decay, as PyTorch's SGD: v ← momentum · v + g, then p ← p - rate · v.
public struct SGD: Optimizer {
  private let momentum: Tensor
  private let decay: Tensor

  public init(in builder: GraphBuilder) {
    momentum = builder.hyperparameter("momentum")
    decay = builder.hyperparameter("weight_decay")
  }

  public func update(_ parameter: Tensor, named name: String, by gradient: Tensor, at rate: Tensor, decays: Bool) {
    parameter.follow(decays ? gradient + parameter * decay : gradient, named: name, keeping: momentum, at: rate)
  }
}

/// LARS (You et al., arXiv 1708.03888), as MoCo v3 has it for linear probes.
///
/// The gradients of parameters of two axes or more are scaled to `trust` · ‖p‖ / ‖g‖, weight decay included, where neither norm is 0;
/// vectors are updated by momentum alone.
public struct LARS: Optimizer {
  private let momentum: Tensor
  private let decay: Tensor
  private let trust: Tensor

  public init(in builder: GraphBuilder) {
    momentum = builder.hyperparameter("momentum")
    decay = builder.hyperparameter("weight_decay")
    trust = builder.hyperparameter("trust")
  }

  public func update(_ parameter: Tensor, named name: String, by gradient: Tensor, at rate: Tensor, decays: Bool) {
    guard parameter.shape.rank >= 2 else {
      return parameter.follow(gradient, named: name, keeping: momentum, at: rate)
    }
    let decayed = decays ? gradient + parameter * decay : gradient
    parameter.follow(decayed * scale(of: decayed, for: parameter), named: name, keeping: momentum, at: rate)
  }

  /// trust · ‖parameter‖ / ‖gradient‖, or 1 where a norm is 0.
  private func scale(of gradient: Tensor, for parameter: Tensor) -> Tensor {
    let builder = parameter.builder
    let (own, other) = (parameter.norm(), gradient.norm())
    let (zero, one) = (builder.constant(0), builder.constant(1))
    let isScaled = (one - zero.atLeast(own)) * (one - zero.atLeast(other))
    // No norm divides by 0.
    let ratio = trust * own / other.maximum(builder.constant(.leastNormalMagnitude))
    return isScaled * ratio + (one - isScaled)
  }
}

extension Tensor {
  /// The root of the sum of all squares, a scalar.
  fileprivate func norm() -> Tensor { (self * self).total().applying(.squareRoot) }

  /// Updates the parameter called `name` by a momentum that keeps a share of itself and takes in `gradient`.
  fileprivate func follow(_ gradient: Tensor, named name: String, keeping share: Tensor, at rate: Tensor) {
    let velocity = builder.moment(1, of: name, shape)
    let moved = velocity * share + gradient
    builder.update(velocity, to: moved)
    builder.update(self, to: self - moved * rate)
  }
}
