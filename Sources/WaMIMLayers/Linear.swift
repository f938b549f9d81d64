import WaMIMGraph

/// An affine map of the last axis: x · weightᵀ + bias, with the weight [width, inputs] as PyTorch has it.
public struct Linear {
  /// The extent of the result's last axis.
  public var width: Int
  public var hasBias = true
  /// What the weight starts with, or nil for Xavier's uniform distribution.
  public var initializer: Initializer?

  public init(width: Int, hasBias: Bool = true, initializer: Initializer? = nil) {
    self.width = width
    self.hasBias = hasBias
    self.initializer = initializer
  }

  public func callAsFunction(_ x: Tensor, name: String) -> Tensor {
    let builder = x.builder
    return builder.scoped(name) {
      guard x.shape.rank >= 2 else {
        builder.fail("a linear layer takes a tensor of at least two axes, not \(x.type)")
        return x
      }
      let inputs = x.shape[-1]
      let weight = builder.parameter("weight", [width, inputs], initializer ?? .xavierUniform(fanIn: inputs, fanOut: width))
      let product = x.matmul(weight, transposeRight: true)
      return hasBias ? product + builder.parameter("bias", [width], .constant(0)) : product
    }
  }
}
