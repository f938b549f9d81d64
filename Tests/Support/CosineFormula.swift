import Foundation

/// A learning-rate schedule as a formula in double precision: a linear warm-up, then half a cosine.
public struct CosineFormula: Sendable {
  public var epochs: Double
  public var warmup: Double
  public var peak: Double
  public var minimum: Double

  public init(epochs: Double, warmup: Double, peak: Double, minimum: Double = 0) {
    (self.epochs, self.warmup, self.peak, self.minimum) = (epochs, warmup, peak, minimum)
  }

  /// The rate after `progress` epochs of the run.
  public func rate(after progress: Double) -> Double {
    if progress < warmup { return peak * progress / warmup }
    guard epochs > warmup else { return peak }
    return minimum + (peak - minimum) * (1 + cos(.pi * (progress - warmup) / (epochs - warmup))) / 2
  }
}
