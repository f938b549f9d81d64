import WaMIMManifest

extension TrainingRun {
  /// What a run is told.
  package struct Options: Sendable {
    /// How the run is made; the batches of its steps are those of all ranks.
    package var recipe: Recipe
    package var seed: UInt64
    /// Steps between checkpoints, or nil for one at the end of each epoch.
    package var checkpointEvery: Int?
    /// Checkpoints of earlier steps to keep beside the newest.
    package var checkpointsKept: Int
    /// Steps between those whose numbers TensorBoard is told.
    package var logEvery: Int
    /// Epochs between pictures, or 0 for none.
    package var pictureEvery: Int
    /// The step after which to stop early, as if interrupted.
    package var stepLimit: Int?
    package var loaders: Int
    /// Whether each kernel's result is looked at.
    package var checksValues: Bool
    /// How many steps a timeline shows, where one is asked for.
    package var profileSteps: Int

    package init(
      recipe: Recipe, seed: UInt64, checkpointEvery: Int?, checkpointsKept: Int, logEvery: Int, pictureEvery: Int,
      stepLimit: Int?, loaders: Int, checksValues: Bool, profileSteps: Int = 0
    ) {
      self.recipe = recipe
      self.seed = seed
      self.checkpointEvery = checkpointEvery
      self.checkpointsKept = checkpointsKept
      self.logEvery = logEvery
      self.pictureEvery = pictureEvery
      self.stepLimit = stepLimit
      self.loaders = loaders
      self.checksValues = checksValues
      self.profileSteps = profileSteps
    }
  }
}
