import WaMIMGraph

/// Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2), as PyTorch computes it.
///
/// A run tells betas, epsilon, the weight decay and the corrections 1 / (1 - beta^step), so that it can be told others than the model's.
public struct AdamW: Optimizer {
  private let betas: (Tensor, Tensor)
  private let epsilon: Tensor
  private let decay: Tensor
  private let corrections: (Tensor, Tensor)
  private let one: Tensor

  public init(in builder: GraphBuilder) {
    betas = (builder.hyperparameter("beta1"), builder.hyperparameter("beta2"))
    epsilon = builder.hyperparameter("epsilon")
    decay = builder.hyperparameter("weight_decay")
    corrections = (builder.hyperparameter("first_moment_correction"), builder.hyperparameter("second_moment_correction"))
    one = builder.constant(1)
  }

  public func update(_ parameter: Tensor, named name: String, by gradient: Tensor, at rate: Tensor, decays: Bool) {
    let builder = parameter.builder
    let first = builder.moment(1, of: name, parameter.shape)
    let second = builder.moment(2, of: name, parameter.shape)
    let newFirst = first * betas.0 + gradient * (one - betas.0)
    let newSecond = second * betas.1 + gradient * gradient * (one - betas.1)
    let denominator = (newSecond * corrections.1).applying(.squareRoot) + epsilon
    let step = newFirst * corrections.0 * rate / denominator
    let decayed = decays ? parameter * (one - rate * decay) : parameter
    builder.update(first, to: newFirst)
    builder.update(second, to: newSecond)
    builder.update(parameter, to: decayed - step)
  }
}
