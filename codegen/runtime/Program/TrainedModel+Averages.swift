import WaMIMManifest

/// Running means of the parameters, for models that keep them.
extension TrainedModel {
  /// Lets the running means begin with the parameters as they are; the means' memory is fresh.
  package func beginAverages() throws(TrainerError) {
    guard let share = program.input(.hyperparameter(ScheduleScalar.averageShare)) else { return }
    set(share, to: 1)
    try run(.average)
  }

  /// What `body` gives while each parameter that is learned holds its running mean.
  package func withAverages<Result>(_ body: () throws(TrainerError) -> Result) throws(TrainerError) -> Result {
    try exchangeAverages()
    let result: Result
    do throws(TrainerError) {
      result = try body()
    } catch {
      try exchangeAverages()
      throw error
    }
    try exchangeAverages()
    return result
  }

  private func exchangeAverages() throws(TrainerError) {
    let pairs = program.averages
    noteWrittenStates()
    try device.exchange(pairs.map(\.parameter), with: pairs.map(\.average))
  }
}
