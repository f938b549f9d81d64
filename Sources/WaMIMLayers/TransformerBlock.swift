import WaMIMGraph

/// A pre-norm transformer block on tokens [batch, tokens, width], with timm's parameter names.
///
/// x += proj(attention(norm1(x))), then x += fc2(gelu(fc1(norm2(x)))).
public struct TransformerBlock {
  public var heads: Int
  /// The width of the hidden layer of the MLP, over the width of the tokens.
  public var expansion = 4
  public var epsilon: Float = 1e-6

  public init(heads: Int, expansion: Int = 4, epsilon: Float = 1e-6) {
    self.heads = heads
    self.expansion = expansion
    self.epsilon = epsilon
  }

  public func callAsFunction(_ x: Tensor, name: String) -> Tensor { self(x, name: name, droppedBy: nil) }

  /// The block whose branches stochastic depth leaves out for some of the samples.
  func callAsFunction(_ x: Tensor, name: String, droppedBy depth: StochasticDepth.OfBlock?) -> Tensor {
    x.builder.scoped(name) {
      let norm = LayerNorm(epsilon: epsilon)
      let attention = SelfAttention(heads: heads)(norm(x, name: "norm1"), name: "attn")
      let attended = x + (depth?.kept(attention, branch: 0) ?? attention)
      let hidden = mlp(norm(attended, name: "norm2"))
      return attended + (depth?.kept(hidden, branch: 1) ?? hidden)
    }
  }

  private func mlp(_ x: Tensor) -> Tensor {
    x.builder.scoped("mlp") {
      let width = x.shape[-1]
      let hidden = Linear(width: width.multipliedReportingOverflow(by: expansion).partialValue)(x, name: "fc1").gelu()
      return Linear(width: width)(hidden, name: "fc2")
    }
  }
}

/// Multi-head softmax attention of tokens [batch, tokens, width] over themselves.
public struct SelfAttention {
  public var heads: Int

  public init(heads: Int) {
    self.heads = heads
  }

  public func callAsFunction(_ x: Tensor, name: String) -> Tensor {
    let builder = x.builder
    return builder.scoped(name) {
      let width = x.shape.rank > 0 ? x.shape[-1] : 0
      guard heads > 0, width % heads == 0 else {
        builder.fail("\(heads) heads do not divide a width of \(width): choose a number of heads that does")
        return x
      }
      let joined = Linear(width: 3 * width)(x, name: "qkv")
      let operands = (0..<3).map { joined.sliced(-1, $0 * width..<($0 + 1) * width) }
      let attended = builder.add(.attention(heads: heads), operands)
      return Linear(width: width)(attended, name: "proj")
    }
  }
}
