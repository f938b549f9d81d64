import WaMIMGraph
import WaMIMTraining

extension Graph {
  /// What a run does after a step that keeps running means of parameters: each moves toward its parameter by the share that the run tells.
  ///
  /// A parameter that is frozen is its own mean. A mean of zero becomes the parameter itself at a share of 1, exactly.
  public func averagingParameters() throws -> Graph {
    var start = Graph(name: name)
    let sources = learnedParameters.map { (node: self[$0], value: start.append(self[$0])) }
    let builder = GraphBuilder(extending: start)
    builder.region = .update
    let share = builder.hyperparameter(ScheduleScalar.averageShare)
    for (node, value) in sources {
      guard let name = node.operation.sourceName else { continue }
      builder.beside(node) {
        let parameter = builder.tensor(value)
        let average = builder.average(of: name, parameter.shape)
        builder.update(average, to: average + (parameter - average) * share)
      }
    }
    return try builder.finish()
  }
}
