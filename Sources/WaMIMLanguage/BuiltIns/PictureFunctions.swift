import WaMIMGraph
import WaMIMLayers
import WaMIMRecipe

extension BuiltIn {
  /// The ways to make pictures of predictions, for the statement `pictures`.
  static let pictures: [BuiltIn] = [
    BuiltIn(
      "wavelet",
      [
        Parameter("wavelet", .symbol(Wavelet.allCases.map(\.rawValue))), Parameter("levels", .integers),
        Parameter("subbands", .symbol(Subbands.allCases.map(\.rawValue))),
        Parameter("normalization", .symbol(TargetNormalization.allCases.map(\.rawValue))),
      ],
      "The outputs `prediction.K` and `target.K` hold wavelet coefficients of the level K of `levels`."
    ) { arguments in
      .pictures(
        .wavelet(
          wavelet: try arguments.option("wavelet", Wavelet.init), levels: try arguments.integers("levels"),
          subbands: try arguments.symbol("subbands"), normalization: try arguments.symbol("normalization")))
    },
    BuiltIn(
      "patches", [Parameter("patch", .integer), Parameter("normalized", .flag, default: .flag(false))],
      "The output `prediction.0` holds pixels, as `patches` orders them."
    ) { arguments in
      .pictures(.patches(patch: try arguments.integer("patch"), normalized: try arguments.flag("normalized")))
    },
    BuiltIn(
      "cells", [Parameter("patches", .integers), Parameter("normalized", .flag, default: .flag(true))],
      "The outputs `prediction.K` hold pixels of cells of `patches[K]` pixels a side, as `pixels` orders them."
    ) { arguments in
      .pictures(.cells(patches: try arguments.integers("patches"), normalized: try arguments.flag("normalized")))
    },
  ]
}
