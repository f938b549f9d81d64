import WaMIMGraph

extension Operation {
  /// Whether the operation only moves elements that lie somewhere already, so that its result may be a view of the operand.
  var isMovement: Bool {
    switch self {
    case .broadcast, .reshape, .transpose, .slice, .detach: true
    default: false
    }
  }

  /// Whether the operation combines elements along axes.
  var isReduction: Bool {
    if case .reduce = self { true } else { false }
  }

  /// Whether computing an element again costs much more than reading it.
  var isExpensive: Bool {
    if case .unary(let function) = self { function.isTranscendental } else { false }
  }
}

extension Graph {
  /// Whether `state` is a parameter, or what the optimiser keeps from step to step, and no accumulator.
  func outlivesStep(_ state: ValueID) -> Bool {
    switch self[state].operation {
    case .parameter, .state: true
    default: false
    }
  }
}
