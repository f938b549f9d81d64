import WaMIMGraph

/// A vision transformer encoder that sees only the visible patches, with a layer norm on each of its taps.
///
/// The paper's encoder (WaMIM, arXiv 2503.00782), with timm's parameter names.
public struct ViT {
  public var patch: Int
  /// The width of the tokens.
  public var dim: Int
  public var depth: Int
  public var heads: Int
  /// The layers, counted from 1, after which features are taken.
  public var taps: [Int]
  /// What the table of positions is where all patches are seen.
  public var positions = Positions.fixed
  /// The share of samples whose branches the last block leaves out in training, where all patches are seen.
  public var dropPath = 0.0
  public var epsilon: Float = 1e-6

  /// What a table of positions is.
  public enum Positions: String, CaseIterable, Sendable {
    /// The sine–cosine table of the grid.
    case fixed
    /// A parameter that starts as that table.
    case learned
  }

  public init(
    patch: Int, dim: Int, depth: Int, heads: Int, taps: [Int] = [], positions: Positions = .fixed, dropPath: Double = 0
  ) {
    self.patch = patch
    self.dim = dim
    self.depth = depth
    self.heads = heads
    self.taps = taps
    self.positions = positions
    self.dropPath = dropPath
  }

  /// The features at each tap, [batch, 1 + visible, dim], the class token first.
  public func callAsFunction(
    _ images: Tensor, visibleIn mask: Mask, file: String = #fileID, line: Int = #line
  ) -> [Tensor] {
    let builder = images.builder
    return builder.located(file, line) {
      guard check(images, mask), checkTaps(builder) else { return taps.map { _ in images } }
      var tokens = embed(images, mask)
      var features: [Tensor] = []
      for layer in 1...depth where builder.error == nil {
        tokens = TransformerBlock(heads: heads, epsilon: epsilon)(tokens, name: "blocks.\(layer - 1)")
        if taps.contains(layer) {
          features.append(LayerNorm(epsilon: epsilon)(tokens, name: "norms.\(features.count)"))
        }
      }
      return features
    }
  }

  /// Whether the configuration makes sense; what does not is said to the builder.
  private func check(_ images: Tensor, _ mask: Mask) -> Bool {
    if mask.patch != patch {
      images.builder.fail("the mask hides patches of \(mask.patch), but the encoder takes patches of \(patch)")
    }
    return checkSizes(images.builder)
  }

  /// Whether the sizes go together; what does not is said to the builder.
  func checkSizes(_ builder: GraphBuilder) -> Bool {
    if dim < 1 || dim % 4 != 0 {
      builder.fail("the width has to be a multiple of 4 for the table of positions, but dim is \(dim)")
    } else if heads < 1 || dim % heads != 0 {
      builder.fail("\(heads) heads do not divide a width of \(dim): choose heads that divide dim")
    } else if depth < 1 || depth > 10_000 {
      builder.fail("the depth has to be between 1 and 10000, but is \(depth)")
    } else if !(0..<1).contains(dropPath) {
      builder.fail("the rate of stochastic depth has to be from 0 to below 1, but is \(dropPath)")
    }
    return builder.error == nil
  }

  /// Whether the taps are layers; what they are else is said to the builder.
  private func checkTaps(_ builder: GraphBuilder) -> Bool {
    if let tap = taps.first(where: { $0 < 1 || $0 > depth }) {
      builder.fail("there is no layer \(tap) to tap: the encoder's layers count from 1 to \(depth)")
    } else if taps.isEmpty || taps != Array(Set(taps)).sorted() {
      builder.fail("taps have to be layers in ascending order, each once, but are \(taps)")
    }
    return builder.error == nil
  }

  private func embed(_ images: Tensor, _ mask: Mask) -> Tensor {
    let builder = images.builder
    let (batch, channels) = (images.shape[0], images.shape[1])
    let table = builder.add(.positionTable(width: dim, grid: mask.grid, classToken: true))
    let patches = PatchEmbedding(patch: patch, width: dim)(images, channels: channels)
    let placed = patches + table.sliced(0, 1..<table.shape[0])
    let classToken = builder.parameter("cls_token", [1, 1, dim], .normal(standardDeviation: 0.02))
    let classRow = (classToken + table.sliced(0, 0..<1)).broadcast(to: [batch, 1, dim])
    return .concatenated([classRow, placed.gathered(mask.visible)], axis: 1, in: builder)
  }
}

/// The convolution of stride `patch` that turns patches into tokens.
struct PatchEmbedding {
  var patch: Int
  var width: Int
  /// What the weight starts with, or nil for Xavier's uniform distribution.
  var initializer: Initializer?

  func callAsFunction(_ images: Tensor, channels: Int) -> Tensor {
    let builder = images.builder
    return builder.scoped("patch_embed.proj") {
      let inputs = channels * patch * patch
      let weight = builder.parameter(
        "weight", [width, channels, patch, patch], initializer ?? .xavierUniform(fanIn: inputs, fanOut: width))
      let bias = builder.parameter("bias", [width], .constant(0))
      return images.patches(patch).matmul(weight.reshaped([width, inputs]), transposeRight: true) + bias
    }
  }
}
