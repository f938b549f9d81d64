import WaMIMGraph

extension BuiltIn {
  /// The function that is the operation of `schema`: a call adds that one operation to the graph.
  static func operation(_ schema: OperationSchema) -> BuiltIn {
    if let function = BinaryFunction(rawValue: schema.name) { return binary(function, schema) }
    let operands = schema.operands.map { Parameter($0, schema.isVariadic ? .variadic : .tensor) }
    let attributes = schema.attributes.map { attribute in
      Parameter(attribute.label, attribute.kind.parameterKind, default: attribute.fallback.flatMap(Parameter.Default.init))
    }
    return BuiltIn(schema.name, operands + attributes, schema.summary) { arguments in
      .tensor(try added(schema, arguments))
    }
  }

  /// Element by element, with broadcasting where the shapes differ.
  private static func binary(_ function: BinaryFunction, _ schema: OperationSchema) -> BuiltIn {
    BuiltIn(schema.name, schema.operands.map { Parameter($0, .operand) }, schema.summary) { arguments in
      let (left, right) = (try arguments.tensor(schema.operands[0]), try arguments.tensor(schema.operands[1]))
      let result =
        switch function {
        case .add: left + right
        case .subtract: left - right
        case .multiply: left * right
        case .divide: left / right
        case .maximum: left.maximum(right)
        case .minimum: left.minimum(right)
        case .atLeast: left.atLeast(right)
        }
      return .tensor(result)
    }
  }

  private static func added(_ schema: OperationSchema, _ arguments: Arguments) throws -> Tensor {
    let operands =
      schema.isVariadic
      ? try schema.operands.flatMap { try arguments.tensors($0) } : try schema.operands.map { try arguments.tensor($0) }
    let attributes = try schema.attributes.map { try attribute($0, operands.first, arguments) }
    guard let operation = Operation(name: schema.name, attributes: attributes) else {
      throw GraphError("'\(schema.name)' cannot be made from these attributes")
    }
    return arguments.builder.add(operation, operands)
  }

  /// The value of an attribute, names qualified by the layer and axes counted from the start.
  private static func attribute(
    _ parameter: OperationSchema.Parameter, _ operand: Tensor?, _ arguments: Arguments
  ) throws -> Attribute {
    let label = parameter.label
    let rank = operand?.shape.rank ?? 0
    switch parameter.kind {
    case .integer:
      let value = try arguments.integer(label)
      return .integer(label == "axis" && value < 0 ? value + rank : value)
    case .integers:
      let values = try arguments.integers(label)
      return .integers(label == "axes" ? values.map { $0 < 0 ? $0 + rank : $0 }.sorted() : values)
    case .number: return .number(try arguments.float(label))
    case .flag: return .flag(try arguments.flag(label))
    case .text: return .text(arguments.builder.qualified(try arguments.text(label)))
    case .initializer: return .initializer(try arguments.initializer(label))
    case .binding: return .binding(try arguments.binding(label))
    case .role: return .role(try arguments.role(label))
    case .symbol: return .symbol(try arguments.symbol(label))
    case .element:
      guard let element = ElementType(rawValue: try arguments.symbol(label)) else {
        throw GraphError("'\(try arguments.symbol(label))' is no type of elements")
      }
      return .element(element)
    }
  }
}

extension Parameter.Default {
  /// What stands in for an attribute that is not written, or nil where nothing of the language can.
  fileprivate init?(_ attribute: Attribute) {
    switch attribute {
    case .flag(let value): self = .flag(value)
    case .number(let value): self = .number(Double(value))
    case .integer(let value): self = .integer(value)
    case .symbol(let word): self = .symbol(word)
    case .text, .integers, .initializer, .binding, .role, .element: return nil
    }
  }
}

extension AttributeKind {
  /// The kind of argument that gives an attribute of this kind.
  var parameterKind: ParameterKind {
    switch self {
    case .integer: .integer
    case .number: .number
    case .flag: .flag
    case .text: .text
    case .integers: .integers
    case .initializer: .initializer
    case .binding: .binding
    case .role: .role
    case .element: .symbol(ElementType.allCases.map(\.rawValue))
    case .symbol(let words): .symbol(words)
    }
  }
}
