import WaMIMGraph

/// Arithmetic and comparison of values; the messages of its errors have no position yet.
enum Calculation {
  /// `left` and `right` combined, tensors with broadcasting.
  static func combine(_ left: Value, _ sign: Arithmetic, _ right: Value, in builder: GraphBuilder) throws -> Value {
    switch (left, right) {
    case (.integer(let left), .integer(let right)): return .integer(try integers(left, sign, right))
    case (.integer, .number), (.number, .integer), (.number, .number):
      return .number(try numbers(left.asNumber ?? 0, sign, right.asNumber ?? 0))
    case (.tensor(let left), .tensor(let right)): return .tensor(try tensors(left, sign, right))
    case (.tensor(let tensor), .integer), (.tensor(let tensor), .number):
      return .tensor(try tensors(tensor, sign, try scalar(right, builder)))
    case (.integer, .tensor(let tensor)), (.number, .tensor(let tensor)):
      return .tensor(try tensors(try scalar(left, builder), sign, tensor))
    case (.text(let text), .text(let other)) where sign == .add: return .text(try joined(text, other))
    case (.text(let text), .integer(let number)) where sign == .add: return .text(try joined(text, "\(number)"))
    default:
      throw GraphError("'\(sign.rawValue)' takes numbers or tensors, not \(left.description) and \(right.description)")
    }
  }

  private static func integers(_ left: Int, _ sign: Arithmetic, _ right: Int) throws -> Int {
    let (result, overflow) =
      switch sign {
      case .add: left.addingReportingOverflow(right)
      case .subtract: left.subtractingReportingOverflow(right)
      case .multiply: left.multipliedReportingOverflow(by: right)
      case .divide: left.dividedReportingOverflow(by: right)
      case .remainder: left.remainderReportingOverflow(dividingBy: right)
      }
    if right == 0, sign == .divide || sign == .remainder {
      throw GraphError("division by zero: \(left) \(sign.rawValue) 0")
    }
    guard !overflow else { throw GraphError("\(left) \(sign.rawValue) \(right) does not fit into 64 bits") }
    return result
  }

  private static func numbers(_ left: Double, _ sign: Arithmetic, _ right: Double) throws -> Double {
    if right == 0, sign == .divide || sign == .remainder {
      throw GraphError("division by zero: \(left) \(sign.rawValue) 0")
    }
    let result =
      switch sign {
      case .add: left + right
      case .subtract: left - right
      case .multiply: left * right
      case .divide: left / right
      case .remainder: left.truncatingRemainder(dividingBy: right)
      }
    guard result.isFinite else { throw GraphError("\(left) \(sign.rawValue) \(right) is not a finite number") }
    return result
  }

  private static func tensors(_ left: Tensor, _ sign: Arithmetic, _ right: Tensor) throws -> Tensor {
    switch sign {
    case .add: return left + right
    case .subtract: return left - right
    case .multiply: return left * right
    case .divide: return left / right
    case .remainder: throw GraphError("'%' takes integers and numbers, not tensors")
    }
  }

  private static func scalar(_ value: Value, _ builder: GraphBuilder) throws -> Tensor {
    let number = value.asNumber ?? 0
    guard Float(number).isFinite || !number.isFinite else { throw GraphError("\(number) is out of the range of float32") }
    return builder.constant(Float(number))
  }

  private static func joined(_ left: String, _ right: String) throws -> String {
    guard left.utf8.count + right.utf8.count <= Lexer.longestString else {
      throw GraphError("a string has at most \(Lexer.longestString) bytes")
    }
    return left + right
  }

  /// The value with the opposite sign.
  static func negate(_ value: Value) throws -> Value {
    switch value {
    case .integer(let integer):
      guard integer != .min else { throw GraphError("-(\(integer)) does not fit into 64 bits") }
      return .integer(-integer)
    case .number(let number): return .number(-number)
    case .tensor(let tensor): return .tensor(-tensor)
    default: throw GraphError("'-' takes a number or a tensor, not \(value.description)")
    }
  }

  /// Whether `left` and `right` are in the relation `comparison`.
  static func compare(_ left: Value, _ comparison: Comparison, _ right: Value) throws -> Bool {
    switch (left, right) {
    case (.integer(let left), .integer(let right)): return ordered(left, comparison, right)
    case (.integer, .number), (.number, .integer), (.number, .number):
      return ordered(left.asNumber ?? 0, comparison, right.asNumber ?? 0)
    case (.flag(let left), .flag(let right)):
      if let same = equal(left, comparison, right) { return same }
    case (.text(let left), .text(let right)), (.symbol(let left), .symbol(let right)):
      if let same = equal(left, comparison, right) { return same }
    default: break
    }
    throw GraphError("'\(comparison.rawValue)' cannot compare \(left.description) with \(right.description)")
  }

  private static func ordered<Number: Comparable>(_ left: Number, _ comparison: Comparison, _ right: Number) -> Bool {
    switch comparison {
    case .equal: left == right
    case .notEqual: left != right
    case .less: left < right
    case .atMost: left <= right
    case .greater: left > right
    case .atLeast: left >= right
    }
  }

  private static func equal<Option: Equatable>(_ left: Option, _ comparison: Comparison, _ right: Option) -> Bool? {
    switch comparison {
    case .equal: left == right
    case .notEqual: left != right
    default: nil
    }
  }
}
