/// How the optimiser treats the parameters that have it in common.
public struct ParameterGroup: Hashable, Sendable {
  /// Which parameters weight decay shrinks.
  public enum Decay: String, Hashable, Sendable, CaseIterable {
    /// Those of two or more axes: weights, but no biases and no factors of norms.
    case byRank = "by_rank"
    case always, never
  }

  /// What the learning rate is multiplied by.
  public var rateScale: Float
  /// How many layers stand between the parameter and the end of the model: layer-wise decay of the learning rate counts them.
  public var layersAbove: Int
  public var decay: Decay
  /// Whether the parameter keeps its value: it has no gradient and no moments.
  public var isFrozen: Bool

  public init(rateScale: Float = 1, layersAbove: Int = 0, decay: Decay = .byRank, isFrozen: Bool = false) {
    self.rateScale = rateScale
    self.layersAbove = layersAbove
    self.decay = decay
    self.isFrozen = isFrozen
  }

  /// Whether weight decay shrinks a parameter of `shape`.
  public func decays(_ shape: Shape) -> Bool {
    switch decay {
    case .byRank: shape.rank >= 2
    case .always: true
    case .never: false
    }
  }
}
