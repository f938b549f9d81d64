import WaMIMGraph

/// timm's `Beit` on all tokens (Bao et al., arXiv 2106.08254): no table of positions but one bias for each relative position, which all
/// blocks add to their attention; a factor for each channel of each branch; stochastic depth, in pre-training too.
///
/// SimMIM's ViT (arXiv 2111.09886): a learned token, `mask_token`, stands in the place of those that a mask hides.
public struct Beit {
  public var patch: Int
  /// The width of the tokens.
  public var dim: Int
  public var depth: Int
  public var heads: Int
  /// What the factors of the branches start with.
  public var layerScale: Float = 0.1
  /// The share of samples whose branches the last block leaves out in training.
  public var dropPath = 0.0
  public var epsilon: Float = 1e-6

  public init(patch: Int, dim: Int, depth: Int, heads: Int, layerScale: Float = 0.1, dropPath: Double = 0) {
    self.patch = patch
    self.dim = dim
    self.depth = depth
    self.heads = heads
    self.layerScale = layerScale
    self.dropPath = dropPath
  }

  /// The deviation of a normal distribution of 0.02 that is cut off at 0.02 on both sides, which SimMIM draws weights from.
  private static let deviation: Float = 0.02 * 0.5396

  /// The tokens of the patches [batch, patches, dim], line by line, behind a layer norm called `norm`.
  public func callAsFunction(
    _ images: Tensor, replacing mask: Mask? = nil, file: String = #fileID, line: Int = #line
  ) -> Tensor {
    let builder = images.builder
    return builder.located(file, line) {
      guard check(images) else { return images }
      let (batch, side) = (images.shape[0], images.shape[2] / patch)
      let embedding = PatchEmbedding(patch: patch, width: dim, initializer: .normal(standardDeviation: Beit.deviation))
      let patches = embedding(images, channels: images.shape[1])
      let tokens = mask.map(patches.replaced(hiddenIn:)) ?? patches
      let classToken = builder.parameter("cls_token", [1, 1, dim], .normal(standardDeviation: 0.02))
      var x = Tensor.concatenated([classToken.broadcast(to: [batch, 1, dim]), tokens], axis: 1, in: builder)
      let attention = RelativeAttention(heads: heads, side: side, batch: batch, in: builder)
      let depths = StochasticDepth(rate: dropPath, blocks: depth, batch: batch, in: builder)
      for index in 0..<depth where builder.error == nil {
        x = builder.scoped("blocks.\(index)") { block(index, x, attention, droppedBy: depths[index]) }
      }
      return LayerNorm(epsilon: epsilon)(x.sliced(1, 1..<1 + side * side), name: "norm")
    }
  }

  private func block(
    _ index: Int, _ x: Tensor, _ attention: RelativeAttention, droppedBy depth: StochasticDepth.OfBlock?
  ) -> Tensor {
    let builder = x.builder
    let norm = LayerNorm(epsilon: epsilon)
    // The branches of later blocks begin smaller.
    let last = Initializer.normal(standardDeviation: Beit.deviation / Float(2 * (index + 1)).squareRoot())
    func added(_ branch: Tensor, to x: Tensor, number: Int) -> Tensor {
      let scaled = branch * builder.parameter("gamma_\(number + 1)", [dim], .constant(layerScale))
      return x + (depth?.kept(scaled, branch: number) ?? scaled)
    }
    let normalized = norm(x, name: "norm1")
    let attended = builder.scoped("attn") { attend(normalized, attention, last: last) }
    let sum = added(attended, to: x, number: 0)
    let hidden = norm(sum, name: "norm2")
    let mapped = builder.scoped("mlp") {
      let wide = Linear(width: 4 * dim, initializer: .normal(standardDeviation: Beit.deviation))(hidden, name: "fc1").gelu()
      return Linear(width: dim, initializer: last)(wide, name: "fc2")
    }
    return added(mapped, to: sum, number: 1)
  }

  /// Attention, in which queries and values have a bias but keys have none.
  private func attend(_ x: Tensor, _ attention: RelativeAttention, last: Initializer) -> Tensor {
    let builder = x.builder
    let joined = Linear(width: 3 * dim, hasBias: false, initializer: .normal(standardDeviation: Beit.deviation))(x, name: "qkv")
    let biases = ["q_bias", nil, "v_bias"].map { name in name.map { builder.parameter($0, [dim], .constant(0)) } }
    let operands = biases.enumerated().map { index, bias in
      let part = joined.sliced(-1, index * dim..<(index + 1) * dim)
      return bias.map { part + $0 } ?? part
    }
    return Linear(width: dim, initializer: last)(attention(operands), name: "proj")
  }

  /// Whether the configuration makes sense; what does not is said to the builder.
  private func check(_ images: Tensor) -> Bool {
    let builder = images.builder
    if images.shape.rank != 4 || patch < 1 || images.shape[2] != images.shape[3] || images.shape[2] % patch != 0 {
      builder.fail("patches of \(patch) × \(patch) do not divide square images, but the images are \(images.type)")
    } else if dim < 1 || heads < 1 || dim % heads != 0 {
      builder.fail("\(heads) heads do not divide a width of \(dim): choose heads that divide dim")
    } else if depth < 1 || depth > 10_000 {
      builder.fail("the depth has to be between 1 and 10000, but is \(depth)")
    } else if images.shape[2] / patch > RelativeAttention.longestSide {
      builder.fail("a grid has at most \(RelativeAttention.longestSide) patches a side here, not \(images.shape[2] / patch)")
    } else if !(0..<1).contains(dropPath) {
      builder.fail("the rate of stochastic depth has to be from 0 to below 1, but is \(dropPath)")
    }
    return builder.error == nil
  }
}

/// Attention of a class token and a square grid of tokens over all of them, with one learned bias for each relative position, and for the
/// class token as a query, as a key, and as both.
///
/// It is attention within groups, of which there is one. A token's code is its row in the table of biases, so that a pair's bias is that
/// at the difference of the codes. The class token's code is so far off that its pairs have rows of their own. For the class token as both
/// the difference is 0, which other pairs have too; as a softmax does not change when all of a query's biases move by the same number,
/// those of the class token move so that this one fits.
private struct RelativeAttention {
  private let heads: Int
  private let table: Tensor
  private let groups: Tensor

  /// The longest side of a grid whose table of biases group attention takes.
  static let longestSide = 32

  init(heads: Int, side: Int, batch: Int, in builder: GraphBuilder) {
    self.heads = heads
    let differences = (2 * side - 1) * (2 * side - 1)
    let parameter = builder.scoped("rel_pos_bias") {
      builder.parameter("relative_position_bias_table", [differences + 3, heads], .constant(0))
    }
    table = RelativeAttention.widened(parameter, differences)
    groups = RelativeAttention.groups(side: side, batch: batch, classCode: differences, in: builder)
  }

  func callAsFunction(_ parts: [Tensor]) -> Tensor {
    groups.builder.add(.groupAttention(heads: heads), parts + [table, groups])
  }

  /// The table by differences of codes, as far as the class token's reach, its number of rows the square of an odd number.
  private static func widened(_ table: Tensor, _ differences: Int) -> Tensor {
    let heads = table.shape[1]
    var side = 1
    while side * side < 2 * differences + 1 { side += 2 }
    let margin = (side * side - differences) / 2
    func row(_ index: Int) -> Tensor { table.sliced(0, index..<index + 1) }
    let asQuery = row(differences) - row(differences + 2) + row(differences / 2)
    let asKey = row(differences + 1)
    return .concatenated(
      [asKey.broadcast(to: [margin, heads]), table.sliced(0, 0..<differences), asQuery.broadcast(to: [margin, heads])], axis: 0,
      in: table.builder)
  }

  /// One group of the class token, which has the code `classCode`, and all tokens of the grid.
  private static func groups(side: Int, batch: Int, classCode: Int, in builder: GraphBuilder) -> Tensor {
    let (patches, tokens) = (side * side, side * side + 1)
    // Equal numbers are ranked in the order they stand in.
    let numbers = builder.add(.rank, [builder.constant(0, [batch, max(classCode, tokens) + 1])])
    let cut = builder.add(.windowGroups(WindowCut(grid: side, window: side)), [numbers.sliced(1, 0..<patches)])
    let codes = cut.sliced(1, 2..<3).reshaped([batch, patches])
    let rows: [Tensor] = [
      numbers.sliced(1, 0..<tokens), numbers.sliced(1, tokens..<tokens + 1).broadcast(to: [batch, tokens]),
      .concatenated([numbers.sliced(1, classCode..<classCode + 1), codes], axis: 1, in: builder),
    ]
    return .concatenated(rows.map { $0.reshaped([batch, 1, tokens]) }, axis: 1, in: builder)
  }
}
