import WaMIMGraph

/// What a target of wavelet coefficients was made from: what is needed to make a picture of a prediction again.
package struct TargetOrigin: Hashable, Sendable {
  package var wavelet: Wavelet
  package var level: Int
  package var subbands: Subbands
  package var normalization: TargetNormalization
}

/// What losses and targets tell of themselves while a graph is being built, for those who draw predictions.
package struct PredictionNotes: BuilderNote {
  /// What is known of the values that are wavelet coefficients.
  package var origins: [ValueID: TargetOrigin] = [:]
  /// The mask on the grid that each prediction was made on, as fine as its tokens or its positions are.
  var masks: [ValueID: Mask] = [:]
  /// The same for the target of each prediction that a loss compares, nil where nothing is known.
  package var targets: [TargetOrigin?] = []
  /// The most predictions that losses may compare.
  static let largestCount = 1_000

  package init() {}
}
