import WaMIMGraph

/// A pre-norm transformer block on tokens [batch, tokens, width], with timm's parameter names.
///
/// x += proj(attention(norm1(x))), then x += fc2(gelu(fc1(norm2(x)))).
public struct TransformerBlock {
  public var heads: Int
  /// The width of the hidden layer of the MLP, over the width of the tokens.
  public var expansion = 4
  public var epsilon: Float = 1e-6
  /// What the weights of linear layers start with, or nil for Xavier's uniform distribution.
  public var initializer: Initializer?

  public init(heads: Int, expansion: Int = 4, epsilon: Float = 1e-6, initializer: Initializer? = nil) {
    self.heads = heads
    self.expansion = expansion
    self.epsilon = epsilon
    self.initializer = initializer
  }

  public func callAsFunction(_ x: Tensor, name: String) -> Tensor { self(x, name: name, droppedBy: nil) }

  /// The block whose branches stochastic depth leaves out for some of the samples, with `attention` of queries, keys and values in place of
  /// attention among all tokens where it is given.
  ///
  /// - Parameter padding: What adds rows to normed tokens, whose results `attention` drops.
  func callAsFunction(
    _ x: Tensor, name: String, droppedBy depth: StochasticDepth.OfBlock? = nil, padding: (_ normed: Tensor) -> Tensor = { $0 },
    attention: ((_ operands: [Tensor]) -> Tensor)? = nil
  ) -> Tensor {
    x.builder.scoped(name) {
      let norm = LayerNorm(epsilon: epsilon)
      let layer = SelfAttention(heads: heads, initializer: initializer)
      let attended = layer(padding(norm(x, name: "norm1")), name: "attn", attention: attention ?? layer.among)
      let sum = x + (depth?.kept(attended, branch: 0) ?? attended)
      let hidden = mlp(norm(sum, name: "norm2"))
      return sum + (depth?.kept(hidden, branch: 1) ?? hidden)
    }
  }

  private func mlp(_ x: Tensor) -> Tensor {
    x.builder.scoped("mlp") {
      let width = x.shape[-1]
      let widened = width.multipliedReportingOverflow(by: expansion).partialValue
      let hidden = Linear(width: widened, initializer: initializer)(x, name: "fc1").gelu()
      return Linear(width: width, initializer: initializer)(hidden, name: "fc2")
    }
  }
}

/// Multi-head softmax attention of tokens [batch, tokens, width] over themselves.
public struct SelfAttention {
  public var heads: Int
  /// What the weights of linear layers start with, or nil for Xavier's uniform distribution.
  public var initializer: Initializer?

  public init(heads: Int, initializer: Initializer? = nil) {
    self.heads = heads
    self.initializer = initializer
  }

  public func callAsFunction(_ x: Tensor, name: String) -> Tensor {
    callAsFunction(x, name: name, attention: among)
  }

  /// Attention of each token over all.
  func among(_ operands: [Tensor]) -> Tensor {
    operands[0].builder.add(.attention(heads: heads), operands)
  }

  /// What `attention` makes of queries, keys and values, between the linear maps of this layer.
  func callAsFunction(_ x: Tensor, name: String, attention: (_ operands: [Tensor]) -> Tensor) -> Tensor {
    let builder = x.builder
    return builder.scoped(name) {
      let width = x.shape.rank > 0 ? x.shape[-1] : 0
      guard heads > 0, width % heads == 0 else {
        builder.fail("\(heads) heads do not divide a width of \(width): choose a number of heads that does")
        return x
      }
      let joined = Linear(width: 3 * width, initializer: initializer)(x, name: "qkv")
      let operands = (0..<3).map { joined.sliced(-1, $0 * width..<($0 + 1) * width) }
      return Linear(width: width, initializer: initializer)(attention(operands), name: "proj")
    }
  }
}
