import WaMIMGraph

extension Tensor {
  /// The Gaussian error linear unit, exactly: x · Φ(x).
  public func gelu() -> Tensor {
    let half = self * 0.5
    return half * ((self * Float(0.5).squareRoot()).applying(.errorFunction) + 1)
  }

  /// The softmax along the last axis, safe for large numbers.
  public func softmax() -> Tensor {
    // The maximum only shifts the exponents: the result does not depend on it, so neither does the gradient.
    let exponentials = (self - self.max([-1]).detached()).applying(.exponential)
    return exponentials / exponentials.sum([-1])
  }

  /// The tensor with zero mean and unit (biased) variance along `axes`.
  public func standardized(_ axes: [Int], epsilon: Float) -> Tensor {
    let centred = self - mean(axes)
    let variance = (centred * centred).mean(axes)
    return centred * (variance + epsilon).applying(.reciprocalSquareRoot)
  }
}
