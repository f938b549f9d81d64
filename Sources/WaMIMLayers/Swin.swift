import WaMIMGraph

/// A Swin transformer (arXiv 2103.14030) on the tokens of visible patches alone, or on all, with timm's parameter names.
///
/// Tokens attend to the visible tokens of their window, however many there are. A patch of the mask covers one token of the last stage,
/// so that the four tokens of each merging are visible or hidden together.
public struct Swin {
  /// What is taken of a stage where features are tapped.
  public enum Tap: String, Hashable, Sendable, CaseIterable {
    /// What the next stage gets, merged already; of the last stage, what it ends with.
    case merged
    /// What the stage ends with.
    case stage
  }

  public var patch: Int
  /// Tokens along each side of a window; a grid that is smaller is one window.
  public var window: Int
  /// The width of the first stage's tokens; each further stage has twice the width and half the grid.
  public var dim: Int
  /// The blocks and the heads of each stage.
  public var depths: [Int]
  public var heads: [Int]
  public var tap: Tap
  /// The rate at which the last block's branches are left out, where all tokens are visible.
  public var dropPath: Double
  /// The stages, counted from 1, whose features are wanted; all where none are named.
  public var taps: [Int] = []
  public var epsilon: Float = 1e-5
  /// Whether weight decay shrinks the tables of biases.
  public var decaysBiases = false
  /// What the weights of linear layers start with, or nil for Xavier's uniform distribution.
  public var initializer: Initializer?

  public init(
    patch: Int, window: Int, dim: Int, depths: [Int], heads: [Int], tap: Tap = .merged, dropPath: Double = 0
  ) {
    self.patch = patch
    self.window = window
    self.dim = dim
    self.depths = depths
    self.heads = heads
    self.tap = tap
    self.dropPath = dropPath
  }

  /// The features of each tap, [batch, visible tokens of the stage, width], those of one patch of the mask following each other.
  public func callAsFunction(
    _ images: Tensor, visibleIn mask: Mask, file: String = #fileID, line: Int = #line
  ) -> [Tensor] {
    let builder = images.builder
    return builder.located(file, line) {
      guard check(images, mask) else { return depths.map { _ in images } }
      var features: [Tensor] = []
      func keep(_ x: Tensor, _ stage: Int) {
        guard taps.isEmpty || taps.contains(stage + 1) else { return }
        features.append(LayerNorm(epsilon: epsilon)(x, name: "norms.\(features.count)"))
      }
      encode(images, cells: { mask.refined(by: side($0)).visible }) { stage, merged, result in
        if tap == .merged, stage > 0 { keep(merged, stage - 1) }
        if tap == .stage || stage == depths.count - 1 { keep(result, stage) }
      }
      return features
    }
  }

  /// What each stage ends with where all tokens are there, [batch, tokens, width], line by line.
  ///
  /// Tokens that a mask hides are replaced by a learned one, `mask_token`. Without a mask, a grid that windows do not tile gets zeros behind
  /// its rows and columns in each block, which its tokens attend to. Blocks are counted through all stages. Layer-wise decay of the
  /// learning rate counts from the embedding, layer 0, to what follows the last block; a merging counts as the last block before it
  /// (SimMIM's fine-tuning).
  public func stages(of images: Tensor, replacing mask: Mask? = nil, file: String = #fileID, line: Int = #line) -> [Tensor] {
    let builder = images.builder
    return builder.located(file, line) {
      guard check(images, mask) else { return depths.map { _ in images } }
      let units = images.shape[2] / (patch * side(0))
      // Equal numbers are ranked in the order they stand in.
      let all = builder.add(.rank, [builder.constant(0, [images.shape[0], units * units])])
      func cells(_ stage: Int) -> Tensor {
        side(stage) == 1 ? all : builder.add(.finerIndices(grid: units, side: side(stage)), [all])
      }
      var results: [Tensor] = []
      let depth = depths.reduce(0, +)
      let drops = StochasticDepth(rate: dropPath, blocks: depth, batch: images.shape[0], in: builder)
      encode(images, replacing: mask, cells: cells, drops: drops, layers: depth + 1) { stage, _, result in
        results.append(result.gathered(builder.add(.invertPermutation, [cells(stage)])))
      }
      return results
    }
  }

  /// Tokens of a stage along each side of what one token of the last stage covers.
  private func side(_ stage: Int) -> Int { 1 << (depths.count - 1 - stage) }

  /// Tokens of a stage along each side of an image.
  private func grid(of images: Tensor, _ stage: Int) -> Int { (images.shape[2] / patch) >> stage }

  /// Runs through the stages on the tokens at `cells` of each stage's grid, and hands on what each begins and ends with.
  ///
  /// - Parameters:
  ///   - drops: Which branches are left out.
  ///   - layers: How many layers stand above the embedding, each with a learning rate of its own; 0 where all have one.
  private func encode(
    _ images: Tensor, replacing hidden: Mask? = nil, cells: (_ stage: Int) -> Tensor, drops: StochasticDepth? = nil,
    layers: Int = 0, _ body: (_ stage: Int, _ merged: Tensor, _ result: Tensor) -> Void
  ) {
    let builder = images.builder
    let embedded = builder.grouped(layersAbove: layers) {
      let patches = PatchEmbedding(patch: patch, width: dim)(images, channels: images.shape[1])
      return builder.scoped("patch_embed") { LayerNorm(epsilon: epsilon)(patches, name: "norm") }
    }
    var x = (hidden.map(embedded.replaced(hiddenIn:)) ?? embedded).gathered(cells(0))
    var done = 0
    for stage in depths.indices where builder.error == nil {
      if stage > 0 {
        let merging = PatchMerging(epsilon: epsilon, initializer: initializer)
        x = builder.grouped(layersAbove: max(0, layers - done)) {
          builder.scoped("layers.\(stage).downsample") { merging(x) }
        }
      }
      let merged = x
      let windows = StageWindows(grid: grid(of: images, stage), window: window, cells: cells(stage))
      x = windows.arranged(x)
      for block in 0..<depths[stage] where builder.error == nil {
        let attention = WindowAttention(
          heads: heads[stage], window: windows.window, groups: windows.groups(ofBlock: block), decays: decaysBiases)
        let layer = TransformerBlock(heads: heads[stage], epsilon: epsilon, initializer: initializer)
        x = builder.grouped(layersAbove: max(0, layers - 1 - done)) {
          layer(
            x, name: "layers.\(stage).blocks.\(block)", droppedBy: drops?[done], padding: windows.padded,
            attention: { windows.cropped(attention($0)) })
        }
        done += 1
      }
      x = windows.restored(x)
      body(stage, merged, x)
    }
  }

  /// Whether the configuration makes sense; what does not is said to the builder.
  private func check(_ images: Tensor, _ mask: Mask?) -> Bool {
    let builder = images.builder
    guard (1...8).contains(depths.count), heads.count == depths.count, !depths.contains(where: { $0 < 1 || $0 > 10_000 }) else {
      builder.fail(
        "depths and heads have to say for each of 1 to 8 stages how many blocks and heads it has, but are \(depths) and \(heads)")
      return false
    }
    guard taps.allSatisfy(depths.indices.map({ $0 + 1 }).contains), taps == Array(Set(taps)).sorted() else {
      builder.fail("taps have to be stages from 1 to \(depths.count) in ascending order, each once, but are \(taps)")
      return false
    }
    guard (0..<1).contains(dropPath) else {
      builder.fail("the rate of stochastic depth has to be from 0 to below 1, but is \(dropPath)")
      return false
    }
    guard dim > 0, patch > 0, window > 0, dim <= 1 << 20, patch <= 1 << 20 else {
      builder.fail("patch, window and dim have to be positive, but are \(patch), \(window) and \(dim)")
      return false
    }
    let unit = patch * side(0)
    if images.shape.rank != 4 || images.shape[2] != images.shape[3] || images.shape[2] % unit != 0 {
      builder.fail(
        "a token of the last stage covers \(unit) × \(unit) pixels, which do not tile square images, but the images are \(images.type)"
      )
    } else if let mask, mask.patch != unit {
      builder.fail(
        "the mask hides patches of \(mask.patch), but a token of the last stage covers \(unit) × \(unit) pixels: patch · 2^(stages - 1)"
      )
    } else {
      for stage in depths.indices where builder.error == nil {
        check(stage, grid: grid(of: images, stage), pads: mask == nil, builder)
      }
    }
    return builder.error == nil
  }

  /// Says to the builder what is wrong with a stage.
  ///
  /// - Parameter pads: Whether windows need not tile the grid.
  private func check(_ stage: Int, grid: Int, pads: Bool, _ builder: GraphBuilder) {
    let width = dim << stage
    if heads[stage] < 1 || width % heads[stage] != 0 {
      builder.fail("\(heads[stage]) heads do not divide the width of stage \(stage + 1), \(width): choose heads that divide it")
    } else if !pads, grid % min(window, grid) != 0 {
      builder.fail(
        "windows of \(window) × \(window) tokens do not tile the grid of stage \(stage + 1), \(grid) × \(grid): choose the image, the "
          + "patch or the window so that they do")
    }
  }
}

/// Four tokens to one of twice the width, each four following each other.
private struct PatchMerging {
  var epsilon: Float
  var initializer: Initializer?

  func callAsFunction(_ x: Tensor) -> Tensor {
    let (tokens, width) = (x.shape[1] / 4, 4 * x.shape[2])
    let merged = LayerNorm(epsilon: epsilon)(x.reshaped([x.shape[0], tokens, width]), name: "norm")
    return Linear(width: width / 2, hasBias: false, initializer: initializer)(merged, name: "reduction")
  }
}

/// Attention of tokens over those of their window, with a learned bias for each relative position.
private struct WindowAttention {
  var heads: Int
  var window: Int
  var groups: Tensor
  /// Whether weight decay shrinks the table of biases.
  var decays: Bool

  func callAsFunction(_ parts: [Tensor]) -> Tensor {
    let builder = groups.builder
    let side = 2 * window - 1
    let table = builder.grouped(decay: decays ? nil : .never) {
      builder.parameter("relative_position_bias_table", [side * side, heads], .normal(standardDeviation: 0.02))
    }
    return builder.add(.groupAttention(heads: heads), parts + [table, groups])
  }
}
