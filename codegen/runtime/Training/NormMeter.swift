import WaMIMManifest

/// Norms of parameters and gradients, read off the states.
///
/// Gradients are gone when a step has ended, as the optimiser takes each where it is made. But AdamW's second moment is
/// v' = beta · v + (1 - beta) · g², so the sum of all squares of gradients is that of v' - beta · v over 1 - beta, and two sums over the
/// second moments give the norm without keeping a single gradient.
package struct NormMeter {
  private let model: TrainedModel
  private let secondMoments: [Manifest.Tensor]
  /// The coefficients as the program's update has them, in single precision.
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
  package func parameterNorm() -> Double? {
    let sum = model.program.parameters.reduce(0.0) { $0 + Self.sumOfSquares(model.values($1)) }
    return sum.isFinite ? sum.squareRoot() : nil
  }

  /// The sum over the second moments, to be taken before a step.
  package func sumOfSecondMoments() -> Double {
    secondMoments.reduce(0.0) { $0 + Self.sum(model.values($1)) }
  }

  /// The norm of all gradients of the step that has just been made, or nil where the optimiser keeps no second moments.
  ///
  /// - Parameter before: The sum over the second moments before that step.
  package func gradientNorm(since before: Double) -> Double? {
    guard !secondMoments.isEmpty, share > 0 else { return nil }
    let square = (sumOfSecondMoments() - decay * before) / share
    return square.isFinite ? max(0, square).squareRoot() : nil
  }

  private static func sum(_ values: UnsafeMutableBufferPointer<Float>) -> Double {
    total(values) { $0 }
  }

  private static func sumOfSquares(_ values: UnsafeMutableBufferPointer<Float>) -> Double {
    total(values) { $0 * $0 }
  }

  /// The sum of `term` of each value, in double precision, four at a time.
  @inline(__always)
  private static func total(
    _ values: UnsafeMutableBufferPointer<Float>, _ term: (SIMD4<Double>) -> SIMD4<Double>
  ) -> Double {
    guard let base = values.baseAddress else { return 0 }
    var sums = (SIMD4<Double>.zero, SIMD4<Double>.zero)
    let start = UnsafeRawPointer(base)
    var index = 0
    while index + 8 <= values.count {
      sums.0 += term(SIMD4<Double>(start.loadUnaligned(fromByteOffset: 4 * index, as: SIMD4<Float>.self)))
      sums.1 += term(SIMD4<Double>(start.loadUnaligned(fromByteOffset: 4 * index + 16, as: SIMD4<Float>.self)))
      index += 8
    }
    var sum = (sums.0 + sums.1).sum()
    while index < values.count {
      sum += term(SIMD4<Double>(Double(values[index]), 0, 0, 0))[0]
      index += 1
    }
    return sum
  }
}
