import WaMIMGraph
import WaMIMLayers

/// A WaMIM model by its options.
public struct WaMIMModel: Sendable, CustomStringConvertible {
  public var image = 32
  public var patch = 4
  public var dim = 48
  public var depth = 4
  public var heads = 3
  public var taps = [1, 2, 3, 4]
  public var levels = [1, 2, 3, 4]
  public var weights = [0.8, 0.9, 1.1, 1.2]
  public var decoderDim = 32
  public var decoderHeads = 4
  public var decoderDepth = 1
  public var ratio = 0.75
  public var wavelet = Wavelet.haar
  public var subbands = Subbands.detail
  public var normalization = TargetNormalization.subband
  public var batch = 3

  /// The model of the golden case.
  public init() {}

  /// The golden case's model with `change` made.
  public init(_ change: (inout WaMIMModel) -> Void) {
    change(&self)
  }

  /// The model of `graphs/wamim_vit_base.wg`.
  public static let base = WaMIMModel {
    ($0.image, $0.patch, $0.dim, $0.depth, $0.heads, $0.batch) = (224, 16, 768, 12, 12, 32)
    ($0.taps, $0.levels, $0.decoderDim, $0.decoderHeads) = ([3, 6, 9, 12], [2, 3, 4, 5], 256, 8)
  }

  /// The model of `graphs/wamim_vit_tiny.wg`.
  public static let tiny = {
    var model = base
    (model.dim, model.heads, model.decoderDim, model.decoderHeads) = (192, 3, 128, 4)
    return model
  }()

  /// Small models that differ in every option.
  public static let variety: [WaMIMModel] = [
    WaMIMModel {
      ($0.image, $0.dim, $0.depth, $0.heads, $0.batch) = (16, 8, 2, 2, 2)
      ($0.taps, $0.levels, $0.weights, $0.decoderDim, $0.decoderHeads) = ([1, 2], [1, 2], [1, 0.5], 8, 2)
    },
    WaMIMModel {
      ($0.image, $0.dim, $0.depth, $0.heads, $0.batch) = (24, 12, 1, 3, 1)
      ($0.taps, $0.levels, $0.weights, $0.decoderDim, $0.decoderHeads) = ([1], [3], [1], 12, 1)
      ($0.ratio, $0.wavelet, $0.normalization) = (0.4, .db4, .token)
      $0.patch = 2
    },
    WaMIMModel {
      ($0.image, $0.patch, $0.dim, $0.depth, $0.heads, $0.batch) = (16, 8, 8, 3, 1, 2)
      ($0.taps, $0.levels, $0.weights, $0.decoderDim, $0.decoderHeads) = ([2, 3], [1, 3], [1, 2], 16, 4)
      ($0.ratio, $0.wavelet, $0.subbands, $0.normalization, $0.decoderDepth) = (0.5, .bior22, .all, .none, 2)
    },
  ]

  /// The model as a graph.
  public func graph() throws -> Graph {
    try Graph("wamim") { builder in
      let images = builder.input("images", [batch, 3, image, image])
      let mask = builder.randomMask(of: images, patch: patch, ratio: ratio)
      let features = ViT(patch: patch, dim: dim, depth: depth, heads: heads, taps: taps)(images, visibleIn: mask)
      let targets = images.wavelet(wavelet, levels: levels, subbands: subbands)
      let losses = zip(features, targets).map { features, target in
        let target = target.normalized(normalization)
        let prediction = Decoder(dim: decoderDim, heads: decoderHeads, depth: decoderDepth)(features, mask, like: target)
        return prediction.meanSquaredError(target, on: mask)
      }
      builder.minimize(.weightedSum(losses, weights, in: builder))
    }
  }

  public var description: String {
    "image \(image), patch \(patch), dim \(dim), depth \(depth), heads \(heads), taps \(taps), levels \(levels), ratio \(ratio), "
      + "decoder \(decoderDim)/\(decoderHeads)/\(decoderDepth), \(wavelet.rawValue), \(subbands), \(normalization), batch \(batch)"
  }
}
