import WaMIMGraph

/// What a target was made from: what is needed to make a picture of a prediction again.
package enum TargetOrigin: Hashable, Sendable {
  case wavelet(WaveletOrigin)
  /// Cells of `patch` · `patch` pixels, each brought to zero mean and unit variance or as it is.
  case pixels(patch: Int, normalized: Bool)
}

/// What a target of wavelet coefficients was made from.
package struct WaveletOrigin: Hashable, Sendable {
  package var wavelet: Wavelet
  package var level: Int
  package var subbands: Subbands
  package var normalization: TargetNormalization
}

/// What losses and targets tell of themselves while a graph is being built, for those who draw predictions.
package struct PredictionNotes: BuilderNote {
  /// What is known of the values that are targets.
  package var origins: [ValueID: TargetOrigin] = [:]
  /// The mask on the grid that each prediction was made on, as fine as its tokens or its positions are.
  var masks: [ValueID: Mask] = [:]
  /// The predictions that are maps of tokens line by line, one position for each token.
  var tokenMaps: Set<ValueID> = []
  /// The same for the target of each prediction that a loss compares, nil where nothing is known.
  package var targets: [TargetOrigin?] = []
  /// The most predictions that losses may compare.
  static let largestCount = 1_000

  package init() {}
}
