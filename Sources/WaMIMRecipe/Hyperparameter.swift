/// Something that a training run is told, that a model has a default for, and that a command line can say otherwise.
public struct Hyperparameter<Value: HyperparameterType>: Sendable {
  /// The one name in checkpoints, `run.json` and, with hyphens, on command lines, such as `base_lr`.
  public let name: String
  /// The settings that have it among their arguments, as `Setting.key` names them.
  public let settings: [String]
  /// Its label among the setting's arguments; nil where naming the setting is all there is to say.
  public let label: String?
  /// What it is where the model says nothing.
  public let defaultValue: Value
  /// What it is where the setting is named without it; nil where it has to be given.
  public let argumentDefault: Value?
  /// What it is where a list of settings does not name its own; nil where that changes nothing.
  public let unlisted: Value?
  public let allowed: Allowed<Value>
  /// What it means, in one sentence.
  public let help: String
  /// Whether a resumed run has to keep it.
  public let isFixed: Bool
  /// Whether it is a list of a number for each of the image's channels.
  public let isOfChannels: Bool
  /// Whether programs are made by it, so that no run can be told otherwise.
  public let isCompiled: Bool

  init(
    _ name: String, of settings: String..., label: String?? = nil, default defaultValue: Value, argument: Argument = .sameDefault,
    unlisted: Value? = nil, _ allowed: Allowed<Value>, isFixed: Bool = false,
    isOfChannels: Bool = false, isCompiled: Bool = false, _ help: String
  ) {
    self.name = name
    self.settings = settings
    self.label = label ?? name
    self.defaultValue = defaultValue
    self.unlisted = unlisted
    self.allowed = allowed
    self.isFixed = isFixed
    self.isOfChannels = isOfChannels
    self.isCompiled = isCompiled
    self.help = help
    argumentDefault =
      switch argument {
      case .sameDefault: defaultValue
      case .required: nil
      case .or(let value): value
      }
  }

  /// What stands in for the argument of a setting.
  enum Argument {
    case sameDefault, required
    case or(Value)
  }
}

/// The values that a hyperparameter may have.
public struct Allowed<Value: Sendable>: Sendable {
  /// The values in words, such as `0 or more`.
  public let text: String
  /// Whether a value is one of them.
  public let contains: @Sendable (Value) -> Bool

  init(_ text: String, _ contains: @escaping @Sendable (Value) -> Bool) {
    self.text = text
    self.contains = contains
  }
}

extension Allowed where Value == Double {
  static let factor = Allowed("above 0, and at most 1") { $0 > 0 && $0 <= 1 }
  static let notNegative = Allowed("0 or more") { $0 >= 0 && $0.isFinite }
  static let epochs = Allowed("above 0, and at most a million") { $0 > 0 && $0 <= 1e6 }
  /// As the optimiser computes in float32.
  static let tiny = Allowed("above 0, such as 1e-8") { Float($0) >= .leastNormalMagnitude && Float($0).isFinite }
}

extension Allowed where Value == Double {
  static let probability = Allowed("from 0 to 1") { (0...1).contains($0) }
  static let belowOne = Allowed("from 0 to below 1") { (0..<1).contains($0) }
  static let degrees = Allowed("from 0 to 180") { (0...180).contains($0) }
  static let magnitude = Allowed("from 0 to 10") { (0...10).contains($0) }
  static let halfTurn = Allowed("from 0 to 0.5") { (0...0.5).contains($0) }
}

extension Allowed where Value == Int {
  static let count = Allowed("from 1 to 1000000") { (1...1_000_000).contains($0) }
  static let operations = Allowed("from 1 to 100") { (1...100).contains($0) }
  static let pixels = Allowed("from 0 to 65536") { (0...65_536).contains($0) }
}

extension Allowed where Value == [Double] {
  static let ranks = Allowed("numbers of classes from 1 on, such as 1,5") {
    $0.allSatisfy { $0 >= 1 && $0 == $0.rounded() && $0 <= 1_000_000 }
  }
}

extension Allowed where Value == [Double] {
  static let stages = Allowed("epochs above 0 in ascending order, such as 700") { epochs in
    epochs.allSatisfy { $0 > 0 && $0 <= 1e6 } && zip(epochs, epochs.dropFirst()).allSatisfy { $0 < $1 }
  }
}

extension Allowed where Value == Words {
  static let words = Allowed("a list of words without commas, such as [\"token\"]") {
    $0.all.allSatisfy { !$0.isEmpty && !$0.contains(",") && $0 != "none" }
  }
}

extension Allowed where Value == Bool {
  static let any = Allowed("true or false") { _ in true }
}

extension Allowed where Value == [Double] {
  /// As the optimiser computes in float32.
  static let shares = Allowed("two numbers from 0 to below 1, such as 0.9,0.95") {
    $0.count == 2 && $0.allSatisfy { $0 >= 0 && Float($0) < 1 }
  }
  static let finite = Allowed("a number for each channel, such as 0.5,0.5,0.5") { !$0.isEmpty && $0.allSatisfy(\.isFinite) }
  static let positive = Allowed("a number above 0 for each channel") { !$0.isEmpty && $0.allSatisfy { $0 > 0 && $0.isFinite } }
}

extension Allowed where Value == Interval {
  static let positive = Allowed("a range lower..upper between 0 and a larger number") {
    $0.lower > 0 && $0.lower <= $0.upper && $0.upper.isFinite
  }
}

extension Allowed where Value == Interval? {
  static let share = Allowed("a range lower..upper between 0 and 1, or none") {
    $0.map { $0.lower > 0 && $0.lower <= $0.upper && $0.upper <= 1 } ?? true
  }
}

/// A hyperparameter whatever its type: what language, command line, checkpoints and documentation know of it.
public protocol AnyHyperparameter: Sendable {
  var name: String { get }
  var settings: [String] { get }
  var label: String? { get }
  var help: String { get }
  var isFixed: Bool { get }
  var isOfChannels: Bool { get }
  var isCompiled: Bool { get }
  /// What values are called where one is asked for, such as `number`.
  var valueName: String { get }
  /// The values that are allowed, in words.
  var allowedText: String { get }
  var anyDefault: HyperparameterValue { get }
  var anyArgumentDefault: HyperparameterValue? { get }
  var anyUnlisted: HyperparameterValue? { get }
  /// Whether `value` is of the type and allowed.
  func allows(_ value: HyperparameterValue) -> Bool
  /// The value that a command line or a checkpoint writes as `text`, or nil where it is of another type.
  func value(of text: String) -> HyperparameterValue?
}

extension AnyHyperparameter {
  /// The option of a command line, such as `--base-lr`.
  public var option: String { "--" + optionName }
  /// The name that checkpoints and `run.json` record it under, such as `base-lr`.
  public var optionName: String { String(name.map { $0 == "_" ? "-" : $0 }) }
}

extension Hyperparameter: AnyHyperparameter {
  public var valueName: String { Value.valueName }
  public var allowedText: String { allowed.text }
  public var anyDefault: HyperparameterValue { defaultValue.hyperparameterValue }
  public var anyArgumentDefault: HyperparameterValue? { argumentDefault?.hyperparameterValue }
  public var anyUnlisted: HyperparameterValue? { unlisted?.hyperparameterValue }

  public func allows(_ value: HyperparameterValue) -> Bool { Value(value).map(allowed.contains) ?? false }

  public func value(of text: String) -> HyperparameterValue? { Value(hyperparameterText: text)?.hyperparameterValue }
}
