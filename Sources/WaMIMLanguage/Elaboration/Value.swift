import WaMIMGraph
import WaMIMLayers
import WaMIMRecipe

/// What an expression stands for while a graph is being built.
enum Value {
  case integer(Int)
  case number(Double)
  case flag(Bool)
  case text(String)
  /// A bare word that chooses among options, such as `haar`.
  case symbol(String)
  case list([Value])
  /// The integers from the first to the last one, which may be one less than the first.
  case range(Int, Int)
  /// Two numbers, as ends of an interval.
  case interval(Double, Double)
  case initializer(Initializer)
  case binding(Binding)
  case role(StateRole)
  case pictures(Pictures)
  case tensor(Tensor)
  indirect case mask(Mask)

  /// What messages call the kind of value, with an article.
  var kindDescription: String {
    switch self {
    case .integer: "an integer"
    case .number: "a number"
    case .flag: "a boolean"
    case .text: "a string"
    case .symbol: "a word"
    case .list: "a list"
    case .range: "a range of integers"
    case .interval: "a range of numbers"
    case .initializer: "an initializer"
    case .binding: "what fills an input"
    case .role: "what a state is for"
    case .pictures: "a way to make pictures"
    case .tensor: "a tensor"
    case .mask: "a mask"
    }
  }

  /// The value where it is short, else its kind.
  var description: String {
    switch self {
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .flag(let value): "\(value)"
    case .text: "a string"
    case .symbol(let word): "'\(word)'"
    case .list(let elements): "a list of \(elements.count) element\(elements.count == 1 ? "" : "s")"
    case .range(let lower, let upper): "the range \(lower)..\(upper)"
    case .interval(let lower, let upper): "the range \(lower)..\(upper)"
    case .tensor(let tensor): "a tensor \(tensor.type)"
    case .initializer, .binding, .role, .pictures, .mask: kindDescription
    }
  }

  /// The number that an integer or a number is.
  var asNumber: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// How many elements a list or a range has.
  var elementCount: Int? {
    switch self {
    case .list(let elements): elements.count
    case .range(let lower, let upper): upper - lower + 1
    default: nil
    }
  }

  /// Element `index` of a list or a range, which has that many.
  func element(_ index: Int) -> Value? {
    switch self {
    case .list(let elements): elements.indices.contains(index) ? elements[index] : nil
    case .range(let lower, let upper): index >= 0 && index <= upper - lower ? .integer(lower + index) : nil
    default: nil
    }
  }

  /// Whether the value is known without any tensor, so that an option of the command line can replace it.
  var isSettable: Bool {
    switch self {
    case .integer, .number, .flag, .text, .symbol, .range, .interval: true
    case .list(let elements): elements.allSatisfy(\.isSettable)
    case .initializer, .binding, .role, .pictures, .tensor, .mask: false
    }
  }
}
