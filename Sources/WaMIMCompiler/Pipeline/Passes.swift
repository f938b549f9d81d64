import WaMIMGraph
import WaMIMTraining

/// The passes in the order in which they run.
public enum Passes {
  /// The passes that the schedule `role` goes through in `precision`; one that runs twice has the same name both times.
  public static func all(
    for role: ScheduleRole, updating rule: UpdateRule = UpdateRule(), precision: Precision = .mixed(copies: [])
  ) -> [Pass] {
    // What nobody needs any more would count as a user of what it was computed from.
    let tidy = [simplify, commonSubexpressions, deadCode]
    let rounding = precision.copies.map { [mixPrecision(copies: $0), commonSubexpressions, deadCode] } ?? []
    if role == .update { return [updateFromAccumulators(rule)] + tidy + rounding }
    if role == .round { return [roundParameters(precision.copies ?? [])] }
    if role == .average { return [averageParameters] + tidy }
    // Gathers stop at slices; when these have been hoisted, gathers go on.
    let hoisting = [hoistGathers, hoistSlices, hoistGathers, hoistInvariantRows, hoistColumns]
    let forward = [selectOutputs(role)] + tidy + hoisting.flatMap { [$0] + tidy }
    let backward = role.trains ? [differentiate(role, rule)] : []
    let closing = [removeDetach, simplify, commonSubexpressions, deadCode]
    return forward + backward + closing + rounding + (role.trains ? [recompute, deadCode] : [])
  }

  /// Every pass once: those of a training step in its order, then those that only other schedules go through.
  public static var all: [Pass] {
    var names: Set<String> = []
    return ScheduleRole.allCases.flatMap { all(for: $0) }.filter { names.insert($0.name).inserted }
  }

  /// The names that passes have now, by those that they had: whoever wrote one down may go on using it.
  private static let formerNames = [
    "sink-gathers": "hoist-gathers", "sink-slices": "hoist-slices", "sink-columns": "hoist-columns",
  ]

  /// The name that the pass called `name` has now.
  public static func currentName(of name: String) -> String { formerNames[name] ?? name }

  /// Takes `graph` through the passes for the schedule `role`, without those whose names are in `disabled`.
  ///
  /// Passes that the compiler cannot do without run all the same. `observer` sees the graph after each pass.
  /// - Throws: `GraphError`, or what `observer` throws.
  public static func run(
    _ graph: Graph, for role: ScheduleRole, updating rule: UpdateRule = UpdateRule(), precision: Precision = .float32,
    disabled: Set<String> = [],
    observer: (Pass, Graph) throws -> Void = { _, _ in }
  ) throws -> Graph {
    let disabled = Set(disabled.map(currentName))
    var graph = graph
    for pass in all(for: role, updating: rule, precision: precision) where !(pass.isOptional && disabled.contains(pass.name)) {
      graph = try pass.transform(graph)
      try observer(pass, graph)
    }
    return graph
  }
}

// MARK: The passes

extension Passes {
  static let simplify = Pass("simplify", "Applies algebraic identities that save work.") { try $0.simplified() }

  static let commonSubexpressions = Pass("common-subexpressions", "Computes once what is computed alike more than once.") {
    $0.withoutCommonSubexpressions()
  }

  static let deadCode = Pass("dead-code", "Removes what no loss, output or update needs.") { $0.withoutDeadCode() }

  static let hoistGathers = Pass("hoist-gathers", "Picks rows before they are computed on, where that is less work.") {
    try $0.withPickedRowsOnly(.gathered)
  }

  static let hoistSlices = Pass("hoist-slices", "Computes only the rows that are sliced out later, where that is less work.") {
    try $0.withPickedRowsOnly(.sliced)
  }

  static let hoistInvariantRows = Pass(
    "hoist-invariant-rows", "Computes once a step, not once a sample, on rows that come from a table all samples share."
  ) { try $0.withInvariantRowsHoisted() }

  static let hoistColumns = Pass("hoist-columns", "Computes only the columns that are sliced out later.") {
    try $0.withNeededColumnsOnly()
  }

  static let removeDetach = Pass("remove-detach", "Removes the marks that stop gradients, when all gradients are there.") {
    $0.withoutDetachments()
  }

  static let recompute = Pass("recompute", "Computes cheap values again for the backward pass instead of keeping them.") {
    $0.withRecomputation()
  }

  /// Leaves a graph the outputs that the schedule `role` reports.
  static func selectOutputs(_ role: ScheduleRole) -> Pass {
    Pass("select-outputs", "Drops outputs that the schedule is not for.", isOptional: false) { graph in
      var reduced = graph
      reduced.outputs = graph.outputs.filter { output in
        switch role {
        case .features: output.name == Graph.featuresName
        case .average, .round: false
        case .forward: output.name != Graph.featuresName
        // Training reports losses and logits: predictions and targets need not outlive their last use.
        case .step, .gradients, .update:
          graph[output.value].type.shape.count == 1 && output.name != Graph.featuresName || output.name == Graph.logitsName
        }
      }
      if role == .features { reduced.loss = nil }
      if !role.trains { reduced.updates = [] }
      return reduced
    }
  }

  /// Adds the backward pass, and the optimiser's updates or the accumulation of gradients: what the schedule `role` needs.
  static func differentiate(_ role: ScheduleRole, _ rule: UpdateRule) -> Pass {
    Pass(
      "differentiate", "Adds the gradient of the loss for each parameter, and what the schedule does with it.", isOptional: false
    ) {
      let differentiated = try $0.differentiated()
      return try role == .step ? differentiated.with(rule) : differentiated.withAccumulation()
    }
  }

  /// Rounds to bf16 what products read.
  static func mixPrecision(copies: Set<String>) -> Pass {
    Pass("precision", "Lets matmuls and attention read bf16, and stores so what only they read, where the model asks for bf16.") {
      try $0.withMixedPrecision(copies: copies)
    }
  }

  static func roundParameters(_ copies: Set<String>) -> Pass {
    Pass("round-parameters", "Leaves of the graph its parameters, and rounds to bf16 those that products read.", isOptional: false)
    {
      try $0.roundingParameters(copies)
    }
  }

  static let averageParameters = Pass(
    "average-parameters", "Leaves of the graph its parameters, and moves their running means toward them.", isOptional: false
  ) { try $0.averagingParameters() }

  static func updateFromAccumulators(_ rule: UpdateRule) -> Pass {
    Pass(
      "update-from-accumulators", "Leaves of the graph what a step does when its rounds have added up their gradients.",
      isOptional: false
    ) { try $0.updateFromAccumulators(by: rule) }
  }
}
