import WaMIMGraph

/// How the learning rate goes over a run.
public protocol LearningRateSchedule: Sendable {
  /// The learning rate of the step, a scalar, of numbers that a run is told.
  func learningRate(in builder: GraphBuilder) -> Tensor
}

/// A linear warm-up of the learning rate, then half a cosine down (Loshchilov and Hutter, arXiv 1608.03983), as MAE trains.
///
/// How long and between which rates are inputs, because a run can be told otherwise than the model says.
public struct CosineSchedule: LearningRateSchedule {
  /// The scope of its operations.
  public static let scope = "schedule"

  public init() {}

  /// The learning rate of the step, a scalar.
  ///
  /// It rises from 0 to the peak in a line while the progress is below the warm-up, and falls from there to the minimum at the end
  /// of the run. Either stretch may have no length: a run without warm-up starts at the peak, and one that is all warm-up ends there.
  public func learningRate(in builder: GraphBuilder) -> Tensor {
    builder.scoped(CosineSchedule.scope) {
      let progress = builder.hyperparameter("progress")
      let epochs = builder.hyperparameter("epochs")
      let warmup = builder.hyperparameter("warmup")
      let peak = builder.hyperparameter("peak_lr")
      let minimum = builder.hyperparameter("min_lr")
      let (zero, one) = (builder.constant(0), builder.constant(1))
      // No length divides by 0.
      let shortest = builder.constant(.leastNormalMagnitude)
      let rise = builder.warmUp(progress, until: warmup)
      let fall = ((progress - warmup) / (epochs - warmup).maximum(shortest)).maximum(zero).minimum(one)
      // (1 + cos(πx)) / 2 is the square of cos(πx/2), which keeps its digits where it is small.
      let root = (fall * 0.5).applying(.cosinePi)
      return rise * (minimum + (peak - minimum) * (root * root))
    }
  }
}

extension GraphBuilder {
  /// 0 to 1 in a line while the `progress` is below `warmup`, then 1.
  func warmUp(_ progress: Tensor, until warmup: Tensor) -> Tensor {
    // No length divides by 0.
    let length = warmup.maximum(constant(.leastNormalMagnitude))
    return progress.atLeast(warmup).maximum(progress / length).minimum(constant(1))
  }
}
