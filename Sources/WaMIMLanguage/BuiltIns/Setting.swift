import WaMIMGraph
import WaMIMRecipe

// What a `train` block knows is the recipe's table: here it becomes functions.
extension Setting {
  /// The setting as a function: what it takes, and how it is explained.
  var signature: BuiltIn {
    let parameters = hyperparameters.compactMap { hyperparameter in
      hyperparameter.label.map { Parameter($0, hyperparameter.parameterKind, default: hyperparameter.argumentFallback) }
    }
    // A setting changes the recipe instead of giving a value.
    return BuiltIn(name, parameters, summary) { _ in .flag(true) }
  }

  /// Lets `recipe` have what `arguments` say.
  ///
  /// - Throws: `GraphError` at a value that is not allowed.
  func apply(_ arguments: Arguments, to recipe: inout Recipe) throws {
    for hyperparameter in hyperparameters {
      guard let label = hyperparameter.label else { continue }
      let value = try arguments.hyperparameter(label, of: hyperparameter.parameterKind)
      guard hyperparameter.allows(value) else {
        throw GraphError("'\(label)' has to be \(hyperparameter.allowedText), but is \(value.text)")
      }
      recipe[hyperparameter] = value
    }
    for (name, value) in implied {
      if let hyperparameter = Hyperparameters.byName[name] { recipe[hyperparameter] = value }
    }
    if let inconsistency = recipe.inconsistency { throw GraphError(inconsistency) }
  }
}

extension AnyHyperparameter {
  /// The kind of argument that gives the hyperparameter.
  var parameterKind: ParameterKind {
    switch anyDefault {
    case .number: .number
    case .integer: .integer
    case .flag: .flag
    case .numbers: .numbers
    case .interval, .none: allows(.none) ? .optionalInterval : .interval
    }
  }

  /// What stands in where no argument is given, or nil where one is needed.
  fileprivate var argumentFallback: Parameter.Default? {
    switch anyArgumentDefault {
    case .number(let value): .number(value)
    case .integer(let value): .integer(value)
    case .flag(let value): .flag(value)
    case .numbers(let values): .numbers(values)
    case .interval(let value): .interval(value.lower, value.upper)
    case .some(.none): .symbol("none")
    case nil: nil
    }
  }
}

extension Arguments {
  /// The argument called `label`, which is of `kind`, as a value of a hyperparameter.
  fileprivate func hyperparameter(_ label: String, of kind: ParameterKind) throws -> HyperparameterValue {
    switch kind {
    case .integer: .integer(try integer(label))
    case .flag: .flag(try flag(label))
    case .numbers: .numbers(try numbers(label))
    case .interval, .optionalInterval: try interval(label).map { .interval(Interval($0.0, $0.1)) } ?? .none
    default: .number(try number(label))
    }
  }
}
