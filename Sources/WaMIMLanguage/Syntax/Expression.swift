import WaMIMGraph
import WaMIMRecipe

/// An expression and where it stands.
struct Expression: Sendable {
  var kind: Kind
  var position: Position

  indirect enum Kind: Sendable {
    case integer(Int)
    case number(Double)
    case flag(Bool)
    case text(String)
    case name(String)
    case list([Expression])
    case negate(Expression)
    case not(Expression)
    /// Operators of one precedence from left to right; a list, so that long sums do not nest.
    case arithmetic(Expression, [ArithmeticTerm])
    /// `a && b && …`, or with `||` where `isOr`.
    case logical([Expression], isOr: Bool)
    case comparison(Comparison, Expression, Expression)
    /// Both ends belong to the range.
    case range(Expression, Expression)
    case index(Expression, Expression)
    case member(Expression, String, Position)
    case call(Call)
    case loop(variable: String, Expression, Block)
    case conditional(Expression, then: Block, otherwise: Block)
  }
}

/// An operator and its right operand.
struct ArithmeticTerm: Sendable {
  var sign: Arithmetic
  var operand: Expression
  /// Where the operator stands.
  var position: Position
}

/// An arithmetic operator.
enum Arithmetic: String, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case remainder = "%"
}

/// A comparison operator.
enum Comparison: String, Sendable {
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case atMost = "<="
  case greater = ">"
  case atLeast = ">="
}

/// A function applied to arguments.
struct Call: Sendable {
  var name: String
  var arguments: [Argument]
  var position: Position

  struct Argument: Sendable {
    var label: String?
    var value: Expression
    /// Where the label or, without one, the value starts.
    var position: Position
  }
}

/// Declarations and the expression that is their result.
struct Block: Sendable {
  var lets: [Let]
  var result: Expression
}

/// A named value.
struct Let: Sendable {
  var name: String
  var type: TypeExpression?
  var value: Expression
  /// What the operations of the value are said to belong to.
  var membership: Membership?
  var position: Position

  /// A region of a training step, the path of a layer, or both.
  struct Membership: Sendable {
    var region: Region?
    var scope: String?
  }
}

/// The written type of a tensor.
struct TypeExpression: Sendable {
  var element: ElementType
  var extents: [Expression]
  var position: Position
}

/// A function of the source text.
struct Function: Sendable {
  var name: String
  var parameters: [Parameter]
  var body: Block
  var position: Position

  struct Parameter: Sendable {
    var name: String
    var kind: ParameterKind
    var fallback: Expression?
    var position: Position
  }
}

/// A statement of the top level.
enum Statement: Sendable {
  case model(String, Position)
  case input(name: String, TypeExpression, Position)
  case binding(Let)
  case function(Function)
  case loss(Expression, Position)
  /// A loss that is not an output.
  case minimize(Expression, Position)
  case output(name: String, Expression, Position)
  case update(Expression, Expression, Position)
  /// A condition that has to hold, and what to say where it does not.
  case require(Expression, String, Position)
  /// What the encoder gives of whole images, for those who ask.
  case features(Expression, Position)
  /// A block of settings.
  case settings(Setting.Block, [Clause], Position)
  /// From here on the file describes the model as it is evaluated, not as it is trained.
  case evaluation(Position)
  case pictures(Expression, Position)
}

extension Statement {
  /// Whether the statement starts the description of the model as it is evaluated.
  var isEvaluation: Bool {
    if case .evaluation = self { true } else { false }
  }

  /// Whether the statement speaks of the model as a whole, not of one of its graphs.
  var isSetting: Bool {
    switch self {
    case .settings, .pictures: true
    default: false
    }
  }
}

/// A labelled line of a block of settings.
struct Clause: Sendable {
  var label: String
  var value: Expression
  var position: Position
}
