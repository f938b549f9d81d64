import WaMIMGraph
import WaMIMLayers

extension BuiltIn {
  private static let layerName = Parameter("name", .text, default: .text(""))
  private static let epsilon = Parameter("epsilon", .number, default: .number(1e-6))
  private static let frozen = Parameter("frozen", .flag, default: .flag(false))
  private static let pool = Parameter("pool", .symbol(Pooling.allCases.map(\.rawValue)), default: .symbol("mean"))

  /// What classification is made of.
  static let classification: [BuiltIn] = [
    BuiltIn(
      "pooled", [Parameter("tokens", .tensor), pool, Parameter("norm", .text, default: .text("norm")), epsilon, frozen],
      "The features [batch, width] of tokens [batch, tokens, width] that nothing has normalised yet: a layer norm called `norm`, then the "
        + "class token, which comes first, the mean of the patches behind it, or the mean of all where there is no class token."
    ) { arguments in
      let norm = LayerNorm(epsilon: try arguments.float("epsilon"))
      let tokens = try arguments.tensor("tokens")
      let pooling = try arguments.option("pool", Pooling.init)
      return try arguments.frozen { .tensor(norm(tokens, name: try arguments.text("norm")).pooled(pooling)) }
    },
    BuiltIn(
      "classifier", [Parameter("tokens", .tensor), Parameter("classes", .integer), pool, epsilon],
      "Logits [batch, classes] of tokens [batch, tokens, width]: `fc_norm` of the patches' mean, or the class token of `norm`, then "
        + "`head`; without a class token (`all`) the mean of `norm`, then `head.fc`."
    ) { arguments in
      let head = Classifier(
        classes: try arguments.integer("classes"), pooling: try arguments.option("pool", Pooling.init),
        epsilon: try arguments.float("epsilon"))
      return .tensor(head(try arguments.tensor("tokens")))
    },
    BuiltIn(
      "cross_entropy", [Parameter("logits", .tensor), Parameter("labels", .tensor)],
      "The mean over samples of -Σ label · log softmax(logits)."
    ) { arguments in
      .tensor(try arguments.tensor("logits").crossEntropy(try arguments.tensor("labels")))
    },
    BuiltIn(
      "batch_norm",
      [
        Parameter("x", .tensor), Parameter("epsilon", .number, default: .number(1e-5)),
        Parameter("momentum", .number, default: .number(0.1)), Parameter("affine", .flag, default: .flag(true)), layerName,
      ],
      "Each channel, the last axis, with zero mean and unit variance over the batch; running statistics in evaluation."
    ) { arguments in
      let layer = BatchNorm(
        epsilon: try arguments.float("epsilon"), momentum: try arguments.float("momentum"), isAffine: try arguments.flag("affine"))
      return .tensor(layer(try arguments.tensor("x"), name: try arguments.layerName("batch_norm")))
    },
    BuiltIn(
      "drop_path", [Parameter("x", .tensor), Parameter("rate", .number)],
      "In training, `x` [batch, …] left out of a share `rate` of the samples and divided by 1 - rate in the others."
    ) { arguments in
      .tensor(try arguments.tensor("x").dropped(atRate: try arguments.number("rate")))
    },
  ]

  /// What masked image modelling is made of.
  static let maskedModelling: [BuiltIn] = [
    BuiltIn(
      "random_mask",
      [
        Parameter("images", .tensor), Parameter("patch", .integer), Parameter("ratio", .number),
        Parameter("shared", .flag, default: .flag(false)),
      ],
      "Hides a share of the square patches of each image, or the same patches of all images where `shared`, drawn anew in every step; "
        + "gives a mask."
    ) { arguments in
      .mask(
        arguments.builder.randomMask(
          of: try arguments.tensor("images"), patch: try arguments.integer("patch"), ratio: try arguments.number("ratio"),
          isShared: try arguments.flag("shared")))
    },
    BuiltIn(
      "vit",
      [
        Parameter("images", .tensor), Parameter("mask", .optionalMask, default: .symbol("none")), Parameter("patch", .integer),
        Parameter("dim", .integer), Parameter("depth", .integer), Parameter("heads", .integer),
        Parameter("taps", .integers, default: .numbers([])),
        Parameter("positions", .symbol(ViT.Positions.allCases.map(\.rawValue)), default: .symbol("fixed")),
        Parameter("drop_path", .number, default: .number(0)), frozen,
      ],
      "A vision transformer. With a mask, on the visible patches: the list of features [batch, 1 + visible, dim] after the layers `taps`. "
        + "Without one, on all patches: the tokens [batch, 1 + patches, dim] after the last block, without a norm."
    ) { arguments in
      let encoder = ViT(
        patch: try arguments.integer("patch"), dim: try arguments.integer("dim"), depth: try arguments.integer("depth"),
        heads: try arguments.integer("heads"), taps: try arguments.integers("taps"),
        positions: try arguments.option("positions", ViT.Positions.init), dropPath: try arguments.number("drop_path"))
      let images = try arguments.tensor("images")
      return try arguments.frozen {
        if let mask = try arguments.optionalMask("mask") {
          guard encoder.positions == .fixed, encoder.dropPath == 0 else {
            throw GraphError("'positions' and 'drop_path' are for an encoder that sees all patches: leave out the mask, or them")
          }
          return .list(encoder(images, visibleIn: mask).map(Value.tensor))
        }
        guard encoder.taps.isEmpty else { throw GraphError("'taps' are for an encoder with a mask") }
        return .tensor(encoder(images))
      }
    },
    BuiltIn(
      "swin",
      [
        Parameter("images", .tensor), Parameter("mask", .optionalMask, default: .symbol("none")), Parameter("patch", .integer),
        Parameter("window", .integer), Parameter("dim", .integer), Parameter("depths", .integers), Parameter("heads", .integers),
        Parameter("tap", .symbol(Swin.Tap.allCases.map(\.rawValue)), default: .symbol("merged")),
        Parameter("drop_path", .number, default: .number(0)), frozen,
        Parameter("taps", .integers, default: .numbers([])),
        Parameter("hidden", .symbol(["absent", "token"]), default: .symbol("absent")),
        Parameter("epsilon", .number, default: .number(1e-5)), Parameter("decay_biases", .flag, default: .flag(false)),
        Parameter("initial", .optionalInitializer, default: .symbol("none")),
      ],
      "A Swin transformer on the tokens of visible patches, of which each covers one token of the last stage; gives the features of each "
        + "stage behind a layer norm, as the next stage gets them (`merged`) or before (`stage`), of the stages `taps` or of all. Without a "
        + "mask, or where a learned token stands for hidden ones (`token`), it sees all tokens and gives what each stage ends with, "
        + "[batch, tokens line by line, width]. Without a mask, a grid that windows do not tile gets zeros behind it in each block."
    ) { arguments in
      var encoder = Swin(
        patch: try arguments.integer("patch"), window: try arguments.integer("window"), dim: try arguments.integer("dim"),
        depths: try arguments.integers("depths"), heads: try arguments.integers("heads"),
        tap: try arguments.option("tap", Swin.Tap.init), dropPath: try arguments.number("drop_path"))
      encoder.taps = try arguments.integers("taps")
      encoder.epsilon = try arguments.float("epsilon")
      encoder.decaysBiases = try arguments.flag("decay_biases")
      encoder.initializer = try arguments.optionalInitializer("initial")
      return try arguments.frozen { [encoder] in
        let (images, mask) = (try arguments.tensor("images"), try arguments.optionalMask("mask"))
        guard let mask, try arguments.symbol("hidden") == "absent" else {
          guard encoder.taps.isEmpty else {
            throw GraphError("'taps' are for an encoder of visible tokens alone: pick from the list that this one gives")
          }
          return .list(encoder.stages(of: images, replacing: mask).map(Value.tensor))
        }
        guard encoder.dropPath == 0 else {
          throw GraphError("'drop_path' is for an encoder that sees all tokens: leave out the mask, or it")
        }
        return .list(encoder(images, visibleIn: mask).map(Value.tensor))
      }
    },
    BuiltIn(
      "beit",
      [
        Parameter("images", .tensor), Parameter("mask", .optionalMask, default: .symbol("none")), Parameter("patch", .integer),
        Parameter("dim", .integer), Parameter("depth", .integer), Parameter("heads", .integer),
        Parameter("layer_scale", .number, default: .number(0.1)), Parameter("drop_path", .number, default: .number(0)),
      ],
      "timm's Beit on all tokens, a learned one in the place of those that the mask hides: biases of relative positions in place of a table "
        + "of positions; gives [batch, patches, dim] behind a layer norm."
    ) { arguments in
      let encoder = Beit(
        patch: try arguments.integer("patch"), dim: try arguments.integer("dim"), depth: try arguments.integer("depth"),
        heads: try arguments.integer("heads"), layerScale: try arguments.float("layer_scale"),
        dropPath: try arguments.number("drop_path"))
      return .tensor(encoder(try arguments.tensor("images"), replacing: try arguments.optionalMask("mask")))
    },
    BuiltIn(
      "dwt",
      [
        Parameter("images", .tensor), Parameter("wavelet", .symbol(Wavelet.allCases.map(\.rawValue)), default: .symbol("haar")),
        Parameter("levels", .integers),
        Parameter("subbands", .symbol(Subbands.allCases.map(\.rawValue)), default: .symbol("detail")),
      ],
      "Wavelet coefficients of images at each of `levels`, finest level 1; gives a list of [batch, channels, height, width]."
    ) { arguments in
      let wavelet = try arguments.option("wavelet", Wavelet.init)
      let subbands = try arguments.option("subbands", Subbands.init)
      let levels = try arguments.integers("levels")
      return .list(try arguments.tensor("images").wavelet(wavelet, levels: levels, subbands: subbands).map(Value.tensor))
    },
    BuiltIn(
      "normalize",
      [
        Parameter("target", .tensor), Parameter("over", .symbol(["none", "subband", "token", "positions", "channels"])), epsilon,
      ],
      "Coefficients with zero mean and unit variance over the positions of each subband (`subband` or `positions`), over the "
        + "channels of each position (`token` or `channels`), or as they are (`none`)."
    ) { arguments in
      let word = try arguments.symbol("over")
      let name = ["positions": "subband", "channels": "token"][word] ?? word
      guard let normalization = TargetNormalization(rawValue: name) else { throw GraphError("'\(word)' is no normalization") }
      return .tensor(try arguments.tensor("target").normalized(normalization, epsilon: try arguments.float("epsilon")))
    },
    BuiltIn(
      "decoder",
      [
        Parameter("features", .tensor), Parameter("mask", .mask), Parameter("dim", .integer), Parameter("heads", .integer),
        Parameter("depth", .integer, default: .integer(1)), Parameter("like", .tensor),
      ],
      "Predicts a target of the shape of `like` from the features of one tap; its parameters stand under `decoders.K`."
    ) { arguments in
      let decoder = Decoder(
        dim: try arguments.integer("dim"), heads: try arguments.integer("heads"), depth: try arguments.integer("depth"))
      return .tensor(
        decoder(try arguments.tensor("features"), try arguments.mask("mask"), like: try arguments.tensor("like")))
    },
    BuiltIn(
      "mse", [Parameter("prediction", .tensor), Parameter("target", .tensor), Parameter("on", .mask)],
      "The squared error averaged over what the mask hides; the outputs `prediction.K`, `target.K` and `loss.K` keep what it compares."
    ) { arguments in
      .tensor(try arguments.tensor("prediction").meanSquaredError(try arguments.tensor("target"), on: try arguments.mask("on")))
    },
    BuiltIn(
      "l1", [Parameter("prediction", .tensor), Parameter("target", .tensor), Parameter("on", .mask)],
      "The absolute error averaged over what the mask hides; the outputs `prediction.K`, `target.K` and `loss.K` keep what it compares."
    ) { arguments in
      .tensor(try arguments.tensor("prediction").meanAbsoluteError(try arguments.tensor("target"), on: try arguments.mask("on")))
    },
    BuiltIn(
      "weighted_sum", [Parameter("losses", .tensors), Parameter("weights", .numbers)],
      "The sum of losses, each times its weight."
    ) { arguments in
      .tensor(
        .weightedSum(try arguments.tensors("losses"), try arguments.numbers("weights"), in: arguments.builder))
    },
    BuiltIn(
      "scaled_mask", [Parameter("mask", .mask), Parameter("cells", .integer)],
      "The share of hidden pixels under each cell of a grid of cells × cells: [batch, cells · cells]."
    ) { arguments in
      let (mask, cells) = (try arguments.mask("mask"), try arguments.integer("cells"))
      guard cells > 0, cells.isMultiple(of: mask.grid) || mask.grid.isMultiple(of: cells) else {
        throw GraphError("a mask of \(mask.grid) × \(mask.grid) patches does not fit a grid of \(cells) × \(cells) cells")
      }
      return .tensor(mask.scaled(to: cells))
    },
    BuiltIn(
      "pixels",
      [Parameter("images", .tensor), Parameter("patch", .integer), Parameter("normalized", .flag, default: .flag(true))],
      "Square cells of pixels as maps [batch, patch · patch · channels, rows, columns]: each with zero mean and unit variance, over n - 1, "
        + "its channels row, column and colour, or as it is, colour, row and column."
    ) { arguments in
      .tensor(
        try arguments.tensor("images").pixelCells(try arguments.integer("patch"), normalized: try arguments.flag("normalized")))
    },
    BuiltIn(
      "grid", [Parameter("rows", .tensor)],
      "Rows [batch, side · side, channels], line by line, as maps [batch, channels, side, side]."
    ) { arguments in
      .tensor(try arguments.tensor("rows").asMaps())
    },
    BuiltIn(
      "patches", [Parameter("images", .tensor), Parameter("patch", .integer)],
      "Square patches of images as rows [batch, patches, channels · patch · patch], line by line, channel-major."
    ) { arguments in
      .tensor(try arguments.tensor("images").patches(try arguments.integer("patch")))
    },
  ]

  /// Layers with parameters.
  static let blocks: [BuiltIn] = [
    BuiltIn(
      "linear",
      [
        Parameter("x", .tensor), Parameter("width", .integer), Parameter("bias", .flag, default: .flag(true)),
        Parameter("initial", .optionalInitializer, default: .symbol("none")), layerName,
      ],
      "An affine map of the last axis to `width` channels; its weight starts with `initial`, or uniform as Xavier's."
    ) { arguments in
      let layer = Linear(
        width: try arguments.integer("width"), hasBias: try arguments.flag("bias"),
        initializer: try arguments.optionalInitializer("initial"))
      return .tensor(layer(try arguments.tensor("x"), name: try arguments.layerName("linear")))
    },
    BuiltIn(
      "layer_norm", [Parameter("x", .tensor), epsilon, layerName],
      "The last axis with zero mean and unit variance, then a learned scale and shift of each channel."
    ) { arguments in
      let layer = LayerNorm(epsilon: try arguments.float("epsilon"))
      return .tensor(layer(try arguments.tensor("x"), name: try arguments.layerName("layer_norm")))
    },
    BuiltIn(
      "self_attention", [Parameter("x", .tensor), Parameter("heads", .integer), layerName],
      "Multi-head softmax attention of tokens [batch, tokens, width] over themselves."
    ) { arguments in
      let layer = SelfAttention(heads: try arguments.integer("heads"))
      return .tensor(layer(try arguments.tensor("x"), name: try arguments.layerName("self_attention")))
    },
    BuiltIn(
      "transformer_block",
      [
        Parameter("x", .tensor), Parameter("heads", .integer), Parameter("expansion", .integer, default: .integer(4)), epsilon,
        layerName,
      ],
      "A pre-norm transformer block: attention, then an MLP of `expansion` times the width, each added to its input."
    ) { arguments in
      let layer = TransformerBlock(
        heads: try arguments.integer("heads"), expansion: try arguments.integer("expansion"),
        epsilon: try arguments.float("epsilon"))
      return .tensor(layer(try arguments.tensor("x"), name: try arguments.layerName("blocks")))
    },
  ]
}
