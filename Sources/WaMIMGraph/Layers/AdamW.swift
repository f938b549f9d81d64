/// Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2), as PyTorch computes it.
public struct AdamW {
  /// The part of the model that its operations belong to.
  public static let scope = "optimizer"

  public init() {}

  /// Adds the update of each parameter by its gradient, at the learning rate `rate`, a scalar.
  ///
  /// Tensors of two or more axes decay, others do not. The runtime provides betas, epsilon, the weight decay and the corrections
  /// 1 / (1 - beta^step), so that a run can be told others than the model's.
  public func update(_ gradients: [(parameter: Tensor, gradient: Tensor)], rate: Tensor, in builder: GraphBuilder) {
    builder.scoped(AdamW.scope) {
      let betas = (builder.input("beta1", [], role: .firstBeta), builder.input("beta2", [], role: .secondBeta))
      let epsilon = builder.input("epsilon", [], role: .epsilon)
      let decay = builder.input("weight_decay", [], role: .weightDecay)
      let firstCorrection = builder.input("first_moment_correction", [], role: .firstMomentCorrection)
      let secondCorrection = builder.input("second_moment_correction", [], role: .secondMomentCorrection)
      let one = builder.constant(1)
      for (parameter, gradient) in gradients {
        guard let name = builder.graph[parameter.value].operation.sourceName else { continue }
        let shape = parameter.shape
        let first = builder.add(.state(name: "first_moment.\(name)", shape: shape))
        let second = builder.add(.state(name: "second_moment.\(name)", shape: shape))
        let newFirst = first * betas.0 + gradient * (one - betas.0)
        let newSecond = second * betas.1 + gradient * gradient * (one - betas.1)
        let denominator = (newSecond * secondCorrection).applying(.squareRoot) + epsilon
        let step = newFirst * firstCorrection * rate / denominator
        let decayed = shape.rank >= 2 ? parameter * (one - rate * decay) : parameter
        builder.update(first, to: newFirst)
        builder.update(second, to: newSecond)
        builder.update(parameter, to: decayed - step)
      }
    }
  }
}
