import WaMIMGraph
import WaMIMLayers
import WaMIMRecipe

/// A parameter of a built-in function or of a setting.
struct Parameter: Sendable {
  var label: String
  var kind: ParameterKind
  /// What stands in where no argument is given, or nil where one is needed.
  var fallback: Default?

  init(_ label: String, _ kind: ParameterKind, default fallback: Default? = nil) {
    self.label = label
    self.kind = kind
    self.fallback = fallback
  }

  /// A value that can stand in for an argument.
  enum Default: Sendable {
    case integer(Int)
    case number(Double)
    case flag(Bool)
    case text(String)
    case symbol(String)
    case interval(Double, Double)
    case numbers([Double])
    case texts([String])

    var value: Value {
      switch self {
      case .integer(let value): .integer(value)
      case .number(let value): .number(value)
      case .flag(let value): .flag(value)
      case .text(let value): .text(value)
      case .symbol(let word): .symbol(word)
      case .interval(let lower, let upper): .interval(lower, upper)
      case .numbers(let values): .list(values.map(Value.number))
      case .texts(let values): .list(values.map(Value.text))
      }
    }
  }
}

/// A function of the language: what it takes, what it does, and how it is explained.
///
/// Arguments are checked, suggestions are made and the documentation is written from this description alone.
struct BuiltIn: Sendable {
  var name: String
  var parameters: [Parameter]
  /// What the function gives, in one sentence.
  var summary: String
  var body: @Sendable (Arguments) throws -> Value

  init(_ name: String, _ parameters: [Parameter], _ summary: String, body: @escaping @Sendable (Arguments) throws -> Value) {
    self.name = name
    self.parameters = parameters
    self.summary = summary
    self.body = body
  }
}

extension BuiltIn {
  /// The layers and helpers, in the order in which the documentation explains them.
  static let layers: [BuiltIn] = maskedModelling + classification + blocks + mathematics + values

  /// The primitive operations.
  static let operations: [BuiltIn] = OperationSchema.all.map(operation)

  /// The settings of `train` blocks.
  static let settings: [BuiltIn] = Setting.all.map(\.signature)

  /// Every function by its name.
  static let byName: [String: BuiltIn] = Dictionary(
    (operations + layers).map { ($0.name, $0) }, uniquingKeysWith: { operation, _ in operation })

  /// The bare words that are values by themselves: what the options of layers and settings are chosen by.
  static let words: Set<String> = Set(alternatives.joined())

  /// The words that can stand where `word` can, itself among them.
  static func alternatives(to word: String) -> [String] {
    var found: [String] = []
    for words in alternatives where words.contains(word) { found += words.filter { !found.contains($0) } }
    return found
  }

  /// The words among which one is chosen: those of the parameters of layers and settings, and the names of precisions.
  private static let alternatives: [[String]] =
    (layers + settings + pictures).flatMap(\.parameters).map(\.kind.words) + [Setting.all(in: .precision).map(\.name)]
}

/// The values of a call's parameters, of the kinds that these ask for.
struct Arguments {
  var values: [String: Value]
  var builder: GraphBuilder

  /// The function's table of parameters and its body disagree, which is nobody's mistake but the language's.
  private func missing(_ label: String) -> GraphError {
    GraphError("no argument '\(label)' of the kind that is needed")
  }

  func value(_ label: String) throws -> Value {
    guard let value = values[label] else { throw missing(label) }
    return value
  }

  func tensor(_ label: String) throws -> Tensor {
    guard case .tensor(let tensor)? = values[label] else { throw missing(label) }
    return tensor
  }

  func tensors(_ label: String) throws -> [Tensor] {
    guard case .list(let elements)? = values[label] else { throw missing(label) }
    return try elements.map { element in
      guard case .tensor(let tensor) = element else { throw missing(label) }
      return tensor
    }
  }

  func mask(_ label: String) throws -> Mask {
    guard case .mask(let mask)? = values[label] else { throw missing(label) }
    return mask
  }

  /// The mask, or nil for `none`.
  func optionalMask(_ label: String) throws -> Mask? {
    if case .symbol("none")? = values[label] { nil } else { try mask(label) }
  }

  /// The initializer, or nil for `none`.
  func optionalInitializer(_ label: String) throws -> Initializer? {
    if case .symbol("none")? = values[label] { nil } else { try initializer(label) }
  }

  /// What `body` gives, its parameters frozen where the argument `frozen` says so.
  func frozen(_ body: () throws -> Value) throws -> Value {
    try builder.grouped(isFrozen: try flag("frozen"), body)
  }

  func integer(_ label: String) throws -> Int {
    guard case .integer(let value)? = values[label] else { throw missing(label) }
    return value
  }

  func number(_ label: String) throws -> Double {
    guard case .number(let value)? = values[label] else { throw missing(label) }
    return value
  }

  /// A number in float32.
  func float(_ label: String) throws -> Float {
    let value = try number(label)
    guard Float(value).isFinite || !value.isFinite else {
      throw GraphError("\(value) is out of the range of float32")
    }
    return Float(value)
  }

  func flag(_ label: String) throws -> Bool {
    guard case .flag(let value)? = values[label] else { throw missing(label) }
    return value
  }

  func text(_ label: String) throws -> String {
    guard case .text(let value)? = values[label] else { throw missing(label) }
    return value
  }

  func texts(_ label: String) throws -> [String] {
    guard case .list(let elements)? = values[label] else { throw missing(label) }
    return try elements.map { element in
      guard case .text(let text) = element else { throw GraphError("'\(label)' has to be a list of strings") }
      return text
    }
  }

  func symbol(_ label: String) throws -> String {
    guard case .symbol(let word)? = values[label] else { throw missing(label) }
    return word
  }

  /// The option that the word given for `label` names.
  func option<Option>(_ label: String, _ named: (String) -> Option?) throws -> Option {
    let word = try symbol(label)
    guard let option = named(word) else { throw GraphError("'\(word)' is no \(label)") }
    return option
  }

  func integers(_ label: String) throws -> [Int] {
    guard case .list(let elements)? = values[label] else { throw missing(label) }
    return try elements.map { element in
      guard case .integer(let value) = element else { throw missing(label) }
      return value
    }
  }

  func numbers(_ label: String) throws -> [Double] {
    guard case .list(let elements)? = values[label] else { throw missing(label) }
    return try elements.map { element in
      guard let value = element.asNumber else { throw missing(label) }
      return value
    }
  }

  /// The ends of an interval, or nil for `none`.
  func interval(_ label: String) throws -> (Double, Double)? {
    switch values[label] {
    case .interval(let lower, let upper)?: return (lower, upper)
    case .symbol("none")?: return nil
    default: throw missing(label)
    }
  }

  func binding(_ label: String) throws -> Binding {
    guard case .binding(let value)? = values[label] else { throw missing(label) }
    return value
  }

  func role(_ label: String) throws -> StateRole {
    guard case .role(let value)? = values[label] else { throw missing(label) }
    return value
  }

  func initializer(_ label: String) throws -> Initializer {
    guard case .initializer(let value)? = values[label] else { throw missing(label) }
    return value
  }

  /// The name given to a layer, or one of its own: `KIND.K`, where K counts the layers of the kind in the scope being built.
  func layerName(_ kind: String) throws -> String {
    let name = try text("name")
    return name.isEmpty ? "\(kind).\(builder.nextIndex(of: kind))" : name
  }
}
