import WaMIMTraining

/// How parameters follow their gradients in the programs to be made.
public struct UpdateRule: Sendable {
  public var optimizer: any Optimizer.Type
  /// Whether the learning rates of layers differ by the layer decay.
  public var decaysByLayer: Bool
  /// Whether the norm of all gradients is limited.
  public var clips = false
  public var schedule: any LearningRateSchedule = CosineSchedule()

  public init(_ optimizer: any Optimizer.Type = AdamW.self, decaysByLayer: Bool = false) {
    self.optimizer = optimizer
    self.decaysByLayer = decaysByLayer
  }

  /// The rule of `recipe`; a layer decay of 1 asks for one learning rate, and costs nothing, and so does no limit of gradients.
  public init(_ recipe: Recipe) {
    self.init(recipe.optimizerRule, decaysByLayer: recipe.layerDecay != 1)
    clips = recipe.optimizer == "adamw" && recipe.clip > 0
    schedule = recipe.schedule
  }
}
