import WaMIMGraph

/// What values a parameter takes.
enum ParameterKind: Hashable, Sendable {
  case any
  case tensor
  /// A tensor, or a number that stands for a scalar tensor.
  case operand
  /// A list of tensors.
  case tensors
  /// Any number of tensors and lists of tensors, all the unlabelled arguments of a call.
  case variadic
  case mask
  case integer
  case number
  case flag
  case text
  case list
  case integers
  case numbers
  /// Two numbers `lower..upper`.
  case interval
  /// Two numbers `lower..upper`, or the word `none`.
  case optionalInterval
  case initializer
  /// An initializer, or the word `none`.
  case optionalInitializer
  /// A mask, or the word `none`.
  case optionalMask
  /// What fills an input.
  case binding
  /// What a state is for.
  case role
  /// One of the named words.
  case symbol([String])

  /// The kinds that a function of the source text can ask for, by their names there.
  static let named: [String: ParameterKind] = [
    "tensor": .tensor, "mask": .mask, "int": .integer, "number": .number, "bool": .flag, "string": .text, "list": .list,
  ]

  /// What messages and the documentation call the kind, with an article.
  var description: String {
    switch self {
    case .any: "any value"
    case .tensor: "a tensor"
    case .operand: "a tensor or a number"
    case .tensors: "a list of tensors"
    case .variadic: "tensors"
    case .mask: "a mask"
    case .integer: "an integer"
    case .number: "a number"
    case .flag: "a boolean"
    case .text: "a string"
    case .list: "a list"
    case .integers: "a list of integers"
    case .numbers: "a list of numbers"
    case .interval: "a range of numbers"
    case .optionalInterval: "a range of numbers or none"
    case .optionalInitializer: "an initializer, such as normal(0.02), or none"
    case .optionalMask: "a mask or none"
    case .initializer: "an initializer, such as normal(0.02)"
    case .binding: "data(\"FIELD\"), random() or hyperparameter(\"NAME\")"
    case .role: "a role, such as moment(1, of: \"NAME\")"
    case .symbol(let words): ParameterKind.alternatives(words)
    }
  }

  /// The bare words that the kind knows.
  var words: [String] {
    switch self {
    case .symbol(let words): words
    case .optionalInterval, .optionalInitializer, .optionalMask: ["none"]
    default: []
    }
  }

  private static func alternatives(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.joined() }
    return words.dropLast().joined(separator: ", ") + " or " + last
  }

  /// `value` as the kind takes it, or nil where it does not.
  ///
  /// Integers become numbers where numbers are wanted, and ranges lists.
  func converted(_ value: Value, in builder: GraphBuilder) -> Value? {
    switch (self, value) {
    case (.any, _), (.tensor, .tensor), (.operand, .tensor), (.mask, .mask), (.integer, .integer), (.flag, .flag), (.text, .text),
      (.list, .list), (.initializer, .initializer), (.binding, .binding), (.role, .role), (.interval, .interval),
      (.optionalInterval, .interval),
      (.optionalMask, .mask), (.optionalInitializer, .initializer), (.optionalMask, .symbol("none")),
      (.optionalInitializer, .symbol("none")), (.optionalInterval, .symbol("none")):
      return value
    case (.number, _): return value.asNumber.map(Value.number)
    case (.operand, _):
      guard let number = value.asNumber, Float(number).isFinite else { return nil }
      return .tensor(builder.constant(Float(number)))
    case (.variadic, .tensor): return .list([value])
    case (.tensors, _), (.variadic, _): return elements(value) { if case .tensor = $0 { $0 } else { nil } }
    case (.list, .range): return elements(value) { $0 }
    case (.integers, _): return elements(value) { if case .integer = $0 { $0 } else { nil } }
    case (.numbers, _): return elements(value) { $0.asNumber.map(Value.number) }
    case (.interval, .range(let lower, let upper)), (.optionalInterval, .range(let lower, let upper)):
      return .interval(Double(lower), Double(upper))
    case (.interval, .list(let ends)), (.optionalInterval, .list(let ends)):
      guard ends.count == 2, let lower = ends[0].asNumber, let upper = ends[1].asNumber else { return nil }
      return .interval(lower, upper)
    case (.symbol(let words), .symbol(let word)): return words.contains(word) ? value : nil
    default: return nil
    }
  }

  /// The elements of a list or a range, each as `convert` has it, or nil where it refuses one.
  private func elements(_ value: Value, _ convert: (Value) -> Value?) -> Value? {
    guard let count = value.elementCount else { return nil }
    var elements: [Value] = []
    elements.reserveCapacity(count)
    for index in 0..<count {
      guard let element = value.element(index).flatMap(convert) else { return nil }
      elements.append(element)
    }
    return .list(elements)
  }
}
