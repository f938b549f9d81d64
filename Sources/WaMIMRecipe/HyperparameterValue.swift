/// A value of a hyperparameter, whatever its type.
public enum HyperparameterValue: Hashable, Sendable {
  case number(Double)
  case integer(Int)
  case flag(Bool)
  case numbers([Double])
  case texts([String])
  case interval(Interval)
  /// No interval, where there may be none.
  case none

  /// The value as it is written on a command line and in checkpoints, such as `0.2..1.0` or `0.9,0.95`.
  public var text: String {
    switch self {
    case .number(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .flag(let value): "\(value)"
    case .numbers([]): "none"
    case .numbers(let values): values.map { "\($0)" }.joined(separator: ",")
    case .texts([]): "none"
    case .texts(let values): values.joined(separator: ",")
    case .interval(let value): value.text
    case .none: "none"
    }
  }
}

/// Two numbers, the lower one first.
public struct Interval: Hashable, Sendable {
  public var lower: Double
  public var upper: Double

  public init(_ lower: Double, _ upper: Double) {
    self.lower = lower
    self.upper = upper
  }

  /// Such as `0.2..1.0`.
  public var text: String { "\(lower)..\(upper)" }
}

/// A type that hyperparameters can have.
public protocol HyperparameterType: Hashable, Sendable {
  /// What values are called where one is asked for, such as `number`.
  static var valueName: String { get }
  /// The value whatever its type.
  var hyperparameterValue: HyperparameterValue { get }
  /// The value that `value` is of this type, or nil where it is of another.
  init?(_ value: HyperparameterValue)
  /// The value that a command line or a checkpoint writes as `text`, or nil.
  init?(hyperparameterText text: String)
}

extension Double: HyperparameterType {
  public static let valueName = "number"
  public var hyperparameterValue: HyperparameterValue { .number(self) }

  public init?(_ value: HyperparameterValue) {
    guard case .number(let number) = value else { return nil }
    self = number
  }

  public init?(hyperparameterText text: String) { self.init(text) }
}

extension Int: HyperparameterType {
  public static let valueName = "n"
  public var hyperparameterValue: HyperparameterValue { .integer(self) }

  public init?(_ value: HyperparameterValue) {
    guard case .integer(let integer) = value else { return nil }
    self = integer
  }

  public init?(hyperparameterText text: String) { self.init(text) }
}

extension Bool: HyperparameterType {
  public static let valueName = "flag"
  public var hyperparameterValue: HyperparameterValue { .flag(self) }

  public init?(_ value: HyperparameterValue) {
    guard case .flag(let flag) = value else { return nil }
    self = flag
  }

  public init?(hyperparameterText text: String) { self.init(text) }
}

extension [Double]: HyperparameterType {
  public static let valueName = "numbers"
  public var hyperparameterValue: HyperparameterValue { .numbers(self) }

  public init?(_ value: HyperparameterValue) {
    guard case .numbers(let numbers) = value else { return nil }
    self = numbers
  }

  public init?(hyperparameterText text: String) {
    if text == "none" {
      self = []
      return
    }
    let words = text.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = words.compactMap { Double($0) }
    guard numbers.count == words.count else { return nil }
    self = numbers
  }
}

/// A list of words.
public struct Words: HyperparameterType {
  public var all: [String]

  public init(_ all: [String]) {
    self.all = all
  }

  public static let valueName = "words"
  public var hyperparameterValue: HyperparameterValue { .texts(all) }

  public init?(_ value: HyperparameterValue) {
    guard case .texts(let texts) = value else { return nil }
    self.init(texts)
  }

  public init?(hyperparameterText text: String) {
    let words = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard !words.contains("") else { return nil }
    self.init(text == "none" ? [] : words)
  }
}

extension Interval: HyperparameterType {
  public static let valueName = "range"
  public var hyperparameterValue: HyperparameterValue { .interval(self) }

  public init?(_ value: HyperparameterValue) {
    guard case .interval(let interval) = value else { return nil }
    self = interval
  }

  public init?(hyperparameterText text: String) {
    guard let gap = text.firstRange(of: ".."), let lower = Double(text[..<gap.lowerBound]),
      let upper = Double(text[gap.upperBound...])
    else { return nil }
    self.init(lower, upper)
  }
}

extension Optional: HyperparameterType where Wrapped == Interval {
  public static var valueName: String { "range" }
  public var hyperparameterValue: HyperparameterValue { self.map { .interval($0) } ?? .none }

  public init?(_ value: HyperparameterValue) {
    switch value {
    case .interval(let interval): self = interval
    case .none: self = Wrapped?.none
    default: return nil
    }
  }

  public init?(hyperparameterText text: String) {
    if text == "none" {
      self = Wrapped?.none
    } else if let interval = Interval(hyperparameterText: text) {
      self = interval
    } else {
      return nil
    }
  }
}
