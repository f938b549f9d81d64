import WaMIMGraph

/// How the tokens of a transformer become one vector.
public enum Pooling: String, CaseIterable, Sendable {
  /// The mean of the patches' tokens.
  case mean
  /// The class token.
  case token
  /// The mean of all tokens, of an encoder that has no class token.
  case all

  /// Whether tokens [batch, tokens, width] have what is pooled.
  fileprivate func fits(_ tokens: Shape) -> Bool { tokens.rank == 3 && tokens[1] > (self == .all ? 0 : 1) }
}

/// A head that tells classes from the tokens of an encoder, with timm's parameter names.
///
/// Of the mean: `fc_norm` of the mean of the patches' tokens, then `head`. Of the class token: `norm`, then `head` (MAE's
/// `models_vit.py`). Of all tokens: `norm` of each, their mean, then `head.fc` (timm's Swin). The head's weight starts near zero, so that fine-tuning starts from the encoder.
public struct Classifier {
  public var classes: Int
  public var pooling: Pooling
  public var epsilon: Float = 1e-6

  public init(classes: Int, pooling: Pooling = .mean, epsilon: Float = 1e-6) {
    self.classes = classes
    self.pooling = pooling
    self.epsilon = epsilon
  }

  /// The logits [batch, classes] of tokens [batch, tokens, width], the class token first where there is one.
  public func callAsFunction(_ tokens: Tensor, file: String = #fileID, line: Int = #line) -> Tensor {
    let builder = tokens.builder
    return builder.located(file, line) {
      guard pooling.fits(tokens.shape) else {
        builder.fail("a classifier takes tokens [batch, tokens, width], not \(tokens.type)")
        return tokens
      }
      guard classes > 1 else {
        builder.fail("a classifier needs at least two classes, not \(classes)")
        return tokens
      }
      let norm = LayerNorm(epsilon: epsilon)
      let pooled =
        switch pooling {
        case .mean: norm(tokens.pooled(.mean), name: "fc_norm")
        case .token: norm(tokens.pooled(.token), name: "norm")
        case .all: norm(tokens, name: "norm").pooled(.all)
        }
      let head = Linear(width: classes, initializer: .normal(standardDeviation: 2e-5))
      return head(pooled, name: pooling == .all ? "head.fc" : "head")
    }
  }
}

extension Tensor {
  /// One vector [batch, width] for each sample's tokens [batch, tokens, width], the class token first where there is one.
  public func pooled(_ pooling: Pooling) -> Tensor {
    guard pooling.fits(shape) else {
      builder.fail("tokens [batch, tokens, width] can be pooled, not \(type)")
      return self
    }
    let result =
      switch pooling {
      case .mean: sliced(1, 1..<shape[1]).mean([1])
      case .token: sliced(1, 0..<1)
      case .all: mean([1])
      }
    return result.reshaped([shape[0], shape[2]])
  }

  /// The mean over samples of the cross-entropy of logits [batch, classes] and `targets` [batch, classes], shares of the classes.
  ///
  /// A sample counts as much as its shares add up to: -Σ target · log softmax(logits) / batch.
  public func crossEntropy(_ targets: Tensor, file: String = #fileID, line: Int = #line) -> Tensor {
    builder.located(file, line) {
      guard shape == targets.shape, shape.rank == 2 else {
        builder.fail("logits \(type) cannot be compared with labels \(targets.type): both have to be [batch, classes]")
        return builder.constant(0)
      }
      // What is subtracted changes no probability, so no gradient need flow through it.
      let shifted = self - max([1]).detached()
      let logarithms = shifted - shifted.applying(.exponential).sum([1]).applying(.logarithm)
      return (targets * logarithms).total() * (-1 / Float(shape[0]))
    }
  }
}
