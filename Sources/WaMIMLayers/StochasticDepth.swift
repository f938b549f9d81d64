import WaMIMGraph

/// Branches of residual blocks that are left out of some samples in training (Huang et al., arXiv 1603.09382), as timm does it.
///
/// The rate grows from 0 in the first block to `rate` in the last one. A branch is dropped from the samples whose uniform number is below
/// the block's rate p, and is divided by 1 - p elsewhere. The numbers are the input `drop` [2 · blocks, batch]: attention of block 0, MLP
/// of block 0, attention of block 1, ….
public struct StochasticDepth {
  private let rate: Double
  private let blocks: Int
  private let uniform: Tensor?

  /// Declares the numbers, where there is something to drop and the model is built to be trained.
  public init(rate: Double, blocks: Int, batch: Int, in builder: GraphBuilder) {
    self.rate = rate
    self.blocks = blocks
    let drops = rate > 0 && blocks > 1 && builder.isTraining
    uniform = drops ? builder.input("drop", [2 * blocks, batch], from: .random(samples: 1)) : nil
  }

  /// What happens to the branches of a block, or nil where nothing does.
  public subscript(block: Int) -> OfBlock? {
    guard let uniform, block > 0 else { return nil }
    return OfBlock(rate: Float(rate * Double(block) / Double(blocks - 1)), uniform: uniform, first: 2 * block)
  }

  /// Stochastic depth in one block.
  public struct OfBlock {
    fileprivate var rate: Float
    fileprivate var uniform: Tensor
    fileprivate var first: Int

    /// What stays of the branch `x` [batch, …] of that number.
    public func kept(_ x: Tensor, branch: Int) -> Tensor {
      let builder = x.builder
      let numbers = uniform.sliced(0, first + branch..<first + branch + 1)
      let kept = numbers.atLeast(builder.constant(rate)) * (1 / (1 - rate))
      let shape = Shape([x.shape[0]] + [Int](repeating: 1, count: x.shape.rank - 1))
      return x * kept.reshaped(shape)
    }
  }
}

extension Tensor {
  /// In training, this tensor [batch, …] left out of a share `rate` of the samples, at random, and divided by 1 - rate in the others.
  public func dropped(atRate rate: Double) -> Tensor {
    guard (0..<1).contains(rate), shape.rank >= 1 else {
      builder.fail("the rate of what is dropped has to be from 0 to below 1, but is \(rate)")
      return self
    }
    guard rate > 0, builder.isTraining else { return self }
    let index = builder.nextIndex(of: "drop_path")
    let uniform = builder.input("drop_path.\(index)", [1, shape[0]], from: .random(samples: 1))
    return StochasticDepth.OfBlock(rate: Float(rate), uniform: uniform, first: 0).kept(self, branch: 0)
  }
}
