import WaMIMGraph

/// Normalises the last axis to zero mean and unit variance, then scales and shifts each channel.
public struct LayerNorm {
  public var epsilon: Float

  public init(epsilon: Float = 1e-6) {
    self.epsilon = epsilon
  }

  public func callAsFunction(_ x: Tensor, name: String) -> Tensor {
    let builder = x.builder
    return builder.scoped(name) {
      guard x.shape.rank >= 1 else {
        builder.fail("a layer norm takes a tensor with channels, not a scalar")
        return x
      }
      let width = x.shape[-1]
      let weight = builder.parameter("weight", [width], .constant(1))
      let bias = builder.parameter("bias", [width], .constant(0))
      return x.standardized([-1], epsilon: epsilon) * weight + bias
    }
  }
}
