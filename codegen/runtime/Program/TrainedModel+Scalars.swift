import WaMIMManifest

extension TrainedModel {
  /// Sets every number that the program is told before a step: what the recipe and the run's position make of it.
  package func setScalars(_ recipe: Recipe, at position: RunPosition) {
    for input in program.manifest.inputs {
      guard case .hyperparameter(let name) = input.binding, let scalar = ScheduleScalar.named(name) else { continue }
      // The share of running means lies among them, in memory that others leave alone.
      guard keepsAverages || name != ScheduleScalar.averageShare else { continue }
      set(input.tensor, to: scalar.value(recipe, position))
    }
  }
}

extension Recipe {
  /// The recipe with the same learning rate `rate` in every step, for steps that no run makes.
  package func withConstantRate(_ rate: Double) -> Recipe {
    var recipe = self
    (recipe.epochs, recipe.warmupEpochs) = (1, 0)
    (recipe.baseLearningRate, recipe.minimumLearningRate) = (rate, rate)
    return recipe
  }
}

extension RunPosition {
  /// The step of number `step`, from 1, for steps that no run makes: of as many images as base learning rates are for.
  package static func alone(step: Int) -> RunPosition {
    RunPosition(step: step, progress: 0, imagesPerStep: 256, batchesPerStep: 1)
  }
}
