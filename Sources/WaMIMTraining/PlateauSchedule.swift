import WaMIMGraph

/// A linear warm-up of the learning rate, which then falls in steps, as SimMIM trains (Xie et al., arXiv 2111.09886).
public struct PlateauSchedule: LearningRateSchedule {
  public init() {}

  /// The learning rate of the step: the peak, times a tenth for each epoch of the list that has passed.
  public func learningRate(in builder: GraphBuilder) -> Tensor {
    builder.scoped(CosineSchedule.scope) {
      let rise = builder.warmUp(builder.hyperparameter("progress"), until: builder.hyperparameter("warmup"))
      return rise * (builder.hyperparameter("peak_lr") * builder.hyperparameter("plateau"))
    }
  }
}
