import WaMIMGraph

/// A decoder from the visible tokens of one tap to one target: embed, put mask tokens in, transform, rescale, predict.
///
/// The paper's decoder (WaMIM, arXiv 2503.00782), its head after LocalMIM (arXiv 2303.05251).
public struct Decoder {
  /// The width of the tokens.
  public var dim: Int
  public var heads: Int
  /// How many transformer blocks it has.
  public var depth = 1
  public var epsilon: Float = 1e-6

  public init(dim: Int, heads: Int, depth: Int = 1) {
    self.dim = dim
    self.heads = heads
    self.depth = depth
  }

  /// The prediction of `target` [batch, channels, side, side] from `features`: a class token and the visible patches, [batch,
  /// 1 + visible, width], or tokens of which each visible patch has a square of 1, 4, 16 and so on, without a class token.
  ///
  /// The parameters stand under `decoders.K`, where K counts the calls.
  public func callAsFunction(
    _ features: Tensor, _ mask: Mask, like target: Tensor, file: String = #fileID, line: Int = #line
  ) -> Tensor {
    let builder = features.builder
    return builder.located(file, line) {
      guard let grid = TokenGrid(of: features, mask), check(mask: grid.mask, target) else { return target }
      if !grid.hasClassToken, target.shape[2] < mask.grid {
        builder.fail(
          "a target of \(target.shape[2]) × \(target.shape[2]) positions is coarser than the mask's grid of \(mask.grid) × \(mask.grid): "
            + "choose finer levels")
        return target
      }
      let prediction = builder.scoped("decoders.\(builder.nextIndex(of: "decoders"))") {
        let mask = grid.mask
        var tokens = embed(features, grid)
        for layer in 0..<depth where builder.error == nil {
          tokens = TransformerBlock(heads: heads, epsilon: epsilon)(tokens, name: "blocks.\(layer)")
        }
        tokens = LayerNorm(epsilon: epsilon)(tokens, name: "norm")
        // Attention knows no order, so that the positions are not needed before here.
        let first = grid.hasClassToken ? 1 : 0
        let ordered = tokens.sliced(1, first..<tokens.shape[1]).gathered(mask.restore)
        return DecoderHead(epsilon: epsilon)(ordered, grid: mask.grid, like: target)
      }
      builder[PredictionNotes.self].masks[prediction.value] = mask.refined(by: min(grid.mask.grid, target.shape[2]) / mask.grid)
      return prediction
    }
  }

  /// Whether the configuration makes sense; what does not is said to the builder.
  private func check(mask: Mask, _ target: Tensor) -> Bool {
    let builder = target.builder
    if dim < 1 || dim % 4 != 0 {
      builder.fail("the decoder's width has to be a multiple of 4 for the table of positions, but is \(dim)")
    } else if heads < 1 || dim % heads != 0 {
      builder.fail("\(heads) heads do not divide the decoder's width of \(dim): choose heads that divide it")
    } else if depth < 0 || depth > 10_000 {
      builder.fail("the decoder's depth has to be between 0 and 10000, but is \(depth)")
    } else if target.shape.rank != 4 || target.shape[2] != target.shape[3] {
      builder.fail("a target has to be [batch, channels, side, side], not \(target.type)")
    } else if !DecoderHead.reaches(target.shape[2], from: mask.grid) {
      builder.fail(
        "no power of two leads from the grid of \(mask.grid) × \(mask.grid) patches to a target of "
          + "\(target.shape[2]) × \(target.shape[2]): choose the image, the patch or the levels so that one does")
    }
    return builder.error == nil
  }

  /// The class token where there is one, the visible tokens embedded and a learned mask token for each hidden position, in this order, with
  /// positions.
  private func embed(_ features: Tensor, _ grid: TokenGrid) -> Tensor {
    let (builder, mask) = (features.builder, grid.mask)
    let (batch, patches, first) = (features.shape[0], mask.grid * mask.grid, grid.hasClassToken ? 1 : 0)
    let embedded = Linear(width: dim)(features, name: "embed")
    let token = builder.parameter("mask_token", [1, 1, dim], .normal(standardDeviation: 0.02))
    let table = builder.add(.positionTable(width: dim, grid: mask.grid, classToken: grid.hasClassToken))
    let positions = table.sliced(0, first..<patches + first).broadcast(to: [batch, patches, dim])
    let visible = embedded.sliced(1, first..<mask.visibleCount + first) + positions.gathered(mask.visible)
    let hidden = token.broadcast(to: [batch, patches - mask.visibleCount, dim]) + positions.gathered(mask.hiddenIndices)
    let classToken = grid.hasClassToken ? [embedded.sliced(1, 0..<1) + table.sliced(0, 0..<1)] : []
    return .concatenated(classToken + [visible, hidden], axis: 1, in: builder)
  }
}

/// What the tokens of features are: the visible ones of a grid as fine as the mask's or finer, behind a class token or without.
private struct TokenGrid {
  let hasClassToken: Bool
  /// The mask on the tokens' grid.
  let mask: Mask

  /// Finds out by the number of tokens; what makes no sense is said to the builder.
  init?(of features: Tensor, _ mask: Mask) {
    let tokens = features.shape.rank == 3 ? features.shape[1] : 0
    let squares = tokens / mask.visibleCount
    if features.shape.rank == 3, tokens == mask.visibleCount + 1 {
      (hasClassToken, self.mask) = (true, mask)
    } else if squares > 0, tokens % mask.visibleCount == 0, squares.nonzeroBitCount == 1, squares.trailingZeroBitCount % 2 == 0 {
      (hasClassToken, self.mask) = (false, mask.refined(by: 1 << (squares.trailingZeroBitCount / 2)))
    } else {
      features.builder.fail(
        "the decoder takes a class token and \(mask.visibleCount) visible tokens, or 1, 4, 16, … tokens of each visible patch, not "
          + "\(features.type)")
      return nil
    }
  }
}

/// Rescales a grid of tokens to the target's and maps each to the target's channels.
struct DecoderHead {
  var epsilon: Float

  /// Whether doubling or halving leads from `grid` to `target`.
  static func reaches(_ target: Int, from grid: Int) -> Bool {
    guard target > 0, grid > 0 else { return false }
    let (large, small) = (max(target, grid), min(target, grid))
    return large % small == 0 && (large / small).nonzeroBitCount == 1
  }

  /// The prediction [batch, channels, side, side] from tokens [batch, grid · grid, width].
  func callAsFunction(_ tokens: Tensor, grid: Int, like target: Tensor) -> Tensor {
    let builder = tokens.builder
    let side = target.shape[2]
    var (x, at, layer) = (tokens, grid, 0)
    if at < side { x = x.reshaped([x.shape[0], grid * grid, 1, x.shape[-1]]) }
    while at < side {
      if at != grid {
        x = LayerNorm(epsilon: epsilon)(x, name: "head.\(layer)").gelu()
        layer += 2
      }
      guard x.shape[-1] % 2 == 0 else {
        builder.fail("the decoder's width of \(tokens.shape[-1]) cannot be halved on the way to \(side) × \(side) positions")
        return target
      }
      x = builder.scoped("head.\(layer)") { doubled(x) }
      (at, layer) = (at * 2, layer + 1)
    }
    while at > side {
      let pooled = x.reshaped([x.shape[0], at / 2, 2, at / 2, 2, x.shape[-1]]).mean([2, 4])
      x = pooled.reshaped([x.shape[0], at * at / 4, x.shape[-1]])
      (at, layer) = (at / 2, layer + 1)
    }
    return builder.scoped("head.\(layer)") { predicted(x, grid: min(grid, side), like: target) }
  }

  /// A transposed convolution of 2 × 2 with stride 2 that halves the width: each position of a patch becomes four.
  ///
  /// The positions [batch, patches, positions, width] stay with their patch; the four follow each other.
  private func doubled(_ x: Tensor) -> Tensor {
    let builder = x.builder
    let (batch, patches, positions, inputs) = (x.shape[0], x.shape[1], x.shape[2], x.shape[-1])
    let width = inputs / 2
    let weight = builder.parameter("weight", [inputs, width, 2, 2], .xavierUniform(fanIn: width * 4, fanOut: inputs))
    let bias = builder.parameter("bias", [width], .constant(0))
    let matrix = weight.transposed([0, 2, 3, 1]).reshaped([inputs, 4 * width])
    return x.matmul(matrix).reshaped([batch, patches, 4 * positions, width]) + bias
  }

  /// A convolution of 1 × 1 to the target's channels, and each position where it belongs.
  private func predicted(_ x: Tensor, grid: Int, like target: Tensor) -> Tensor {
    let builder = x.builder
    let (channels, inputs) = (target.shape[1], x.shape[-1])
    let weight = builder.parameter("weight", [channels, inputs, 1, 1], .xavierUniform(fanIn: inputs, fanOut: channels))
    let bias = builder.parameter("bias", [channels], .constant(0))
    let rows = x.matmul(weight.reshaped([channels, inputs]), transposeRight: true) + bias
    return arranged(rows, grid: grid).reshaped(target.shape)
  }

  /// Rows of patches, each the four quarters of a quarter and so on, as maps [batch, channels, grid, 2, …, grid, 2, …].
  private func arranged(_ rows: Tensor, grid: Int) -> Tensor {
    let doublings = (rows.shape.count / (rows.shape[0] * rows.shape[-1] * grid * grid)).trailingZeroBitCount / 2
    let halves = [Int](repeating: 2, count: 2 * doublings)
    let axes = (0..<doublings).map { 3 + 2 * $0 }
    return rows.reshaped(Shape([rows.shape[0], grid, grid] + halves + [rows.shape[-1]]))
      .transposed([0, 3 + 2 * doublings, 1] + axes + [2] + axes.map { $0 + 1 })
  }
}
