import WaMIMGraph
import WaMIMRecipe

// What `train` and `evaluate` blocks know is the recipe's table: here it becomes functions.
extension Setting {
  /// The setting as a function: what it takes, and how it is explained.
  var signature: BuiltIn {
    let parameters = hyperparameters.compactMap { hyperparameter in
      hyperparameter.label.map {
        let kind = isRepeatable ? ParameterKind.integer : hyperparameter.parameterKind
        return Parameter($0, kind, default: isRepeatable ? nil : argumentDefault(of: hyperparameter).map(Parameter.Default.init))
      }
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
      let value =
        isRepeatable
        ? recipe[hyperparameter].appending(Double(try arguments.integer(label)))
        : try arguments.hyperparameter(label, of: hyperparameter.parameterKind)
      guard hyperparameter.allows(value) else {
        throw GraphError("'\(label)' has to be \(hyperparameter.allowedText), but is \(value.text)")
      }
      recipe[hyperparameter] = value
    }
    if !clause.isList { recipe[choice: clause] = name }
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
    case .texts: .list
    case .interval, .none: allows(.none) ? .optionalInterval : .interval
    }
  }
}

extension HyperparameterValue {
  /// The list of numbers with `number` at its end; no other value changes.
  fileprivate func appending(_ number: Double) -> HyperparameterValue {
    if case .numbers(let numbers) = self { .numbers(numbers + [number]) } else { self }
  }
}

extension Parameter.Default {
  /// What stands in for an argument that gives a hyperparameter.
  fileprivate init(_ value: HyperparameterValue) {
    self =
      switch value {
      case .number(let value): .number(value)
      case .integer(let value): .integer(value)
      case .flag(let value): .flag(value)
      case .numbers(let values): .numbers(values)
      case .texts(let values): .texts(values)
      case .interval(let value): .interval(value.lower, value.upper)
      case .none: .symbol("none")
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
    case .list: .texts(try texts(label))
    case .interval, .optionalInterval: try interval(label).map { .interval(Interval($0.0, $0.1)) } ?? .none
    default: .number(try number(label))
    }
  }
}
