extension Graph {
  /// Checks that every node stands after its operands, has the type that its operation gives, and that names are unique.
  ///
  /// - Throws: `GraphError` at the first node that does not.
  public func verify() throws {
    var names: [String: ValueID] = [:]
    for value in values {
      let node = self[value]
      guard node.operands.allSatisfy({ $0.index >= 0 && $0 < value }) else {
        throw GraphError("value \(value.index) uses a value that does not stand before it", at: node.location)
      }
      let type: TensorType
      do {
        type = try node.operation.resultType(of: node.operands.map { self[$0].type })
      } catch let error as GraphError {
        throw located(error, at: value)
      }
      guard type == node.type else {
        throw GraphError("value \(value.index) is declared \(node.type), but its operation gives \(type)", at: node.location)
      }
      if let name = node.operation.sourceName {
        if let earlier = names[name] {
          throw GraphError(
            "'\(name)' is declared twice", at: node.location,
            notes: [.init("it is first declared here", at: self[earlier].location)])
        }
        names[name] = value
      }
    }
    try verifyRoots()
  }

  private func verifyRoots() throws {
    for root in roots where root.index >= nodes.count {
      throw GraphError("an output names value \(root.index), which does not exist")
    }
    if let loss, self[loss].type != TensorType(.float32, []) {
      throw GraphError("the loss has to be a scalar, but is \(self[loss].type)", at: self[loss].location)
    }
    for update in updates where self[update.state].type != self[update.value].type {
      throw GraphError(
        "a state of type \(self[update.state].type) cannot take a value of type \(self[update.value].type)",
        at: self[update.value].location)
    }
  }

  /// `error`, said to be at `value`, with the locations that its operands come from where shapes disagree.
  func located(_ error: GraphError, at value: ValueID) -> GraphError {
    let node = self[value]
    return located(error, operands: node.operands, location: node.location)
  }

  /// `error`, said to be at `location`, with the locations that `operands` come from.
  func located(_ error: GraphError, operands: [ValueID], location: SourceLocation?) -> GraphError {
    var error = error
    error.location = error.location ?? location
    if error.notes.isEmpty {
      for operand in operands {
        let origin = self[operand]
        let scope = origin.scope.isEmpty ? "" : " in \(origin.scope)"
        error.notes.append(.init("this operand is \(origin.type)\(scope)", at: origin.location))
      }
    }
    return error
  }
}

extension Operation {
  /// The name that an input, a parameter, a state or an accumulator is known by outside the graph.
  public var sourceName: String? {
    switch self {
    case .input(let name, _, _), .parameter(let name, _, _, _), .state(let name, _, _, _), .accumulator(let name, _): name
    default: nil
    }
  }
}
