import WaMIM

/// A small masked autoencoder on pixels (He et al., arXiv 2111.06377): the same layers as WaMIM, another target.
struct PixelAutoencoder {
  var image = 64
  var patch = 8
  var batch = 32
  var encoderWidth = 96
  var decoderWidth = 64

  /// The model: hides three quarters of the patches and predicts their pixels.
  func model() throws -> Model {
    var model = try Model("pixel_autoencoder", recipe: recipe) { g in
      let images = g.input("images", [batch, 3, image, image])
      let mask = g.randomMask(of: images, patch: patch, ratio: 0.75)
      let features = ViT(patch: patch, dim: encoderWidth, depth: 4, heads: 4, taps: [4])(images, visibleIn: mask)
      let target = images.patches(patch)
      let prediction = g.scoped("decoder") { decoded(features[0], mask, channels: target.shape[2]) }
      g.output("prediction.0", prediction)

      let difference = prediction - target
      let errors = (difference * difference).mean([2]).reshaped(mask.hidden.shape)
      g.minimize((errors * mask.hidden).total() / mask.hidden.total())
    }
    model.pictures = .patches(patch: patch, normalized: false)
    return model
  }

  /// How it is trained where the command line says nothing else.
  private var recipe: Recipe {
    Recipe {
      $0.baseLearningRate = 6e-3
      $0.epochs = 4
      $0.warmupEpochs = 0.5
    }
  }

  /// Pixels of every patch, [batch, patches, channels], from the features of the visible ones.
  private func decoded(_ features: Tensor, _ mask: Mask, channels: Int) -> Tensor {
    let g = features.builder
    let patches = mask.grid * mask.grid
    let embedded = Linear(width: decoderWidth)(features, name: "embed")
    let token = g.parameter("mask_token", [1, 1, decoderWidth], .normal(standardDeviation: 0.02))
    let hidden = token.broadcast(to: [batch, patches - mask.visibleCount, decoderWidth])
    let visible = embedded.sliced(1, 1..<mask.visibleCount + 1)
    let ordered = Tensor.concatenated([visible, hidden], axis: 1, in: g).gathered(mask.restore)
    let tokens = ordered + g.add(.positionTable(width: decoderWidth, grid: mask.grid, classToken: false))
    let mixed = TransformerBlock(heads: 4)(tokens, name: "block")
    return Linear(width: channels)(LayerNorm()(mixed, name: "norm"), name: "pixels")
  }
}
