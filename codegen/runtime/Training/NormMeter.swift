import WaMIMManifest

/// Norms of parameters and gradients, read off the states.
///
/// Gradients are gone when a step has ended, as the optimiser takes each where it is made. But AdamW's second moment is
/// v' = beta · v + (1 - beta) · g², so the sum of all squares of gradients is that of v' - beta · v over 1 - beta, and two sums over the
/// second moments give the norm without keeping a single gradient.
package struct NormMeter {
  private let model: TrainedModel
  private let secondMoments: [Manifest.Tensor]
  /// The coefficients as the program's update has them, in float32.
  private let decay: Double
  private let share: Double

  /// - Parameter recipe: That of the steps to measure, whose second beta counts.
  package init(_ model: TrainedModel, recipe: Recipe) {
    self.model = model
    secondMoments = model.program.manifest.states.compactMap { state in
      if case .moment(2, _) = state.role { state.tensor } else { nil }
    }
    let beta = Float(recipe.betas.last ?? 1)
    decay = Double(beta)
    share = Double(1 - beta)
  }

  /// The norm of all parameters, or nil where it is not finite.
  package func parameterNorm() throws(TrainerError) -> Double? {
    let sum = try model.device.sum(.square, over: model.program.parameters)
    return sum.isFinite ? sum.squareRoot() : nil
  }

  /// The sum over the second moments, to be taken before a step.
  package func sumOfSecondMoments() throws(TrainerError) -> Double {
    try model.device.sum(.value, over: secondMoments)
  }

  /// The norm of all gradients of the step that has just been made, or nil where the optimiser keeps no second moments.
  ///
  /// - Parameter before: The sum over the second moments before that step.
  package func gradientNorm(since before: Double) throws(TrainerError) -> Double? {
    guard !secondMoments.isEmpty, share > 0 else { return nil }
    let square = (try sumOfSecondMoments() - decay * before) / share
    return square.isFinite ? max(0, square).squareRoot() : nil
  }
}
