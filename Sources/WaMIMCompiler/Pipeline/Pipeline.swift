import WaMIMGraph

/// What happens to a model's graph before it is lowered, by the schedule that is to carry it out.
enum Pipeline {
  /// The graph of `schedule`: only what it has to leave behind, differentiated where it needs gradients, improved by the passes.
  static func run(
    on graph: Graph, for schedule: ScheduleKind, disabled: Set<String>, observe: (_ pass: String, Graph) -> Void
  ) throws -> Graph {
    var model = graph
    model.outputs = graph.outputs.filter { schedule.keeps($0.name) }
    switch schedule {
    case .forward: break
    case .gradients: model = try model.differentiated().withGradientOutputs()
    case .step: model = try model.differentiated().withOptimizer()
    }
    return model
  }
}

extension ScheduleKind {
  /// Whether the schedule leaves the model's output called `name` behind.
  fileprivate func keeps(_ name: String) -> Bool {
    let isLoss = name == "loss" || name.hasPrefix("loss.")
    switch self {
    case .step: return isLoss
    case .gradients: return !name.hasPrefix("prediction.") && name != "mask"
    case .forward: return true
    }
  }
}
