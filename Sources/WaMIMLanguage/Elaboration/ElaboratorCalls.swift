import WaMIMGraph
import WaMIMTypes

/// What a function takes, as far as checking a call needs to know.
struct Signature {
  var name: String
  var parameters: [Parameter]

  struct Parameter {
    var label: String
    var kind: ParameterKind
    var isRequired: Bool
  }

  init(_ function: BuiltIn) {
    name = function.name
    parameters = function.parameters.map { Parameter(label: $0.label, kind: $0.kind, isRequired: $0.fallback == nil) }
  }

  init(_ function: Function) {
    name = function.name
    parameters = function.parameters.map { Parameter(label: $0.name, kind: $0.kind, isRequired: $0.fallback == nil) }
  }
}

extension Elaborator {
  /// The value of a call of a function of the source text or of the language.
  mutating func evaluate(_ call: Call) throws -> Value {
    if let function = functions[call.name] { return try evaluate(call, of: function) }
    guard let function = BuiltIn.byName[call.name] else { throw unknownFunction(call) }
    return try evaluate(call, of: function)
  }

  private func unknownFunction(_ call: Call) -> Mistake {
    if lookup(call.name) != nil {
      return Mistake("'\(call.name)' is a value and cannot be called", at: call.position)
    }
    if BuiltIn.settings.contains(where: { $0.name == call.name }) {
      return Mistake("'\(call.name)' is a setting of a 'train' block, not a function", at: call.position)
    }
    let suggestion = Spelling.suggestion(for: call.name, among: Array(functions.keys) + BuiltIn.byName.keys)
    return Mistake("there is no function '\(call.name)'\(suggestion)", at: call.position)
  }

  // MARK: Functions of the language

  /// The value that `function` gives for the arguments of `call`.
  mutating func evaluate(_ call: Call, of function: BuiltIn) throws -> Value {
    let arguments = try arguments(of: call, for: function)
    return try located(call.position) { try function.body(arguments) }
  }

  /// The arguments of `call` with what stands in for those left out.
  mutating func arguments(of call: Call, for function: BuiltIn) throws -> Arguments {
    var values = try match(call, Signature(function))
    for parameter in function.parameters where values[parameter.label] == nil {
      values[parameter.label] = parameter.fallback.flatMap { parameter.kind.converted($0.value, in: builder) }
    }
    return Arguments(values: values, builder: builder)
  }

  // MARK: Functions of the source text

  private mutating func evaluate(_ call: Call, of function: Function) throws -> Value {
    guard callDepth < Budget.deepestCalls else {
      throw Mistake(
        "calls nest deeper than \(Budget.deepestCalls): does the recursion of '\(call.name)' run away?", at: call.position)
    }
    let values = try match(call, Signature(function))
    let scope = "\(function.name).\(builder.nextIndex(of: function.name))"
    try budget.charge((builder.scope.utf8.count + scope.utf8.count) / 16, at: call.position)
    var parameters: [String: Binding] = [:]
    for parameter in function.parameters {
      parameters[parameter.name] = values[parameter.name].map { Binding(value: $0, position: parameter.position) }
    }
    do {
      return try builder.scoped(scope) {
        try inFunction(parameters) { try $0.body(of: function) }
      }
    } catch var mistake as Mistake {
      if mistake.notes.count < 4, !mistake.notes.contains(where: { $0.position == call.position }) {
        mistake.notes.append(.init(message: "in this call of '\(function.name)'", position: call.position))
      }
      throw mistake
    }
  }

  /// The value of the body of `function`, whose given parameters are known already.
  private mutating func body(of function: Function) throws -> Value {
    for parameter in function.parameters where lookupParameter(parameter.name) == nil {
      guard let fallback = parameter.fallback else { continue }
      let value = try evaluate(fallback)
      guard let converted = parameter.kind.converted(value, in: builder) else {
        throw Mistake(
          "'\(parameter.name)' has to be \(parameter.kind.description), but by default is \(value.description)",
          at: fallback.position)
      }
      try declare(parameter.name, converted, at: parameter.position)
    }
    return try evaluate(function.body)
  }

  // MARK: Matching

  /// The values of the parameters that `call` gives, by label: unlabelled arguments fill parameters in their order.
  private mutating func match(_ call: Call, _ signature: Signature) throws -> [String: Value] {
    try budget.charge(1 + call.arguments.count, at: call.position)
    var values: [String: Value] = [:]
    var next = 0
    for argument in call.arguments {
      let parameter = try parameter(for: argument, next: &next, signature)
      let value = try value(of: argument, for: parameter, signature)
      if parameter.kind == .variadic, argument.label == nil, case .list(let earlier)? = values[parameter.label],
        case .list(let more) = value
      {
        try budget.chargeList(earlier.count + more.count, at: argument.position)
        values[parameter.label] = .list(earlier + more)
        continue
      }
      guard values[parameter.label] == nil else {
        throw Mistake("'\(signature.name)' is given '\(parameter.label)' twice", at: argument.position)
      }
      values[parameter.label] = value
    }
    let missing = signature.parameters.filter { $0.isRequired && values[$0.label] == nil }
    guard missing.isEmpty else {
      let list = missing.map { "'\($0.label)' (\($0.kind.description))" }.joined(separator: ", ")
      throw Mistake("'\(signature.name)' also needs \(list)", at: call.position)
    }
    return values
  }

  private func parameter(for argument: Call.Argument, next: inout Int, _ signature: Signature) throws -> Signature.Parameter {
    let labels = signature.parameters.map(\.label)
    if let label = argument.label {
      guard let parameter = signature.parameters.first(where: { $0.label == label }) else {
        let known = labels.isEmpty ? "" : "; its parameters are \(labels.joined(separator: ", "))"
        throw Mistake(
          "'\(signature.name)' has no parameter '\(label)'"
            + (Spelling.nearest(to: label, among: labels).map { ": did you mean '\($0)'?" } ?? known), at: argument.position)
      }
      return parameter
    }
    guard next < signature.parameters.count else {
      throw Mistake(
        "'\(signature.name)' takes at most \(labels.count) argument\(labels.count == 1 ? "" : "s")"
          + (labels.isEmpty ? "" : ": \(labels.joined(separator: ", "))"), at: argument.position)
    }
    let parameter = signature.parameters[next]
    if parameter.kind != .variadic { next += 1 }
    return parameter
  }

  private mutating func value(
    of argument: Call.Argument, for parameter: Signature.Parameter, _ signature: Signature
  ) throws -> Value {
    let position = argument.value.position
    if case .name(let word) = argument.value.kind {
      // A word that the parameter knows means that word, whatever else is called so.
      if parameter.kind.words.contains(word) { return .symbol(word) }
      if case .symbol(let words) = parameter.kind, lookup(word) == nil {
        throw Mistake(
          "'\(parameter.label)' of '\(signature.name)' has to be \(parameter.kind.description), not '\(word)'"
            + Spelling.suggestion(for: word, among: words + visibleNames), at: position)
      }
    }
    let value = try evaluate(argument.value)
    if let count = value.elementCount, parameter.kind != .any { try budget.chargeList(count, at: position) }
    guard let converted = parameter.kind.converted(value, in: builder) else {
      throw Mistake(
        "'\(parameter.label)' of '\(signature.name)' has to be \(parameter.kind.description), not \(value.description)",
        at: position)
    }
    return converted
  }
}
