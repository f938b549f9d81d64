/// What an attribute of an operation can hold.
public enum Attribute: Hashable, Sendable {
  case integer(Int)
  case number(Float)
  case flag(Bool)
  case text(String)
  case integers([Int])
  /// A bare word, such as the name of a wavelet.
  case symbol(String)
  /// A call with one list of numbers, such as `normal(0.02)`.
  case initializer(Initializer)
  /// A call such as `data("images")`.
  case binding(Binding)
  /// A call such as `moment(1, of: "weight")`.
  case role(StateRole)
  case element(ElementType)
}

/// What kind of value an attribute takes.
public enum AttributeKind: Hashable, Sendable {
  case integer, number, flag, text, integers, initializer, binding, role, element
  /// One of the named words.
  case symbol([String])
}

/// How an operation is written: its name, its operands and its attributes.
///
/// The one place for these facts: parser, printer, verifier and documentation read them here.
public struct OperationSchema: Sendable {
  /// One attribute, always written with its label.
  public struct Parameter: Sendable {
    public var label: String
    public var kind: AttributeKind
    /// What the attribute is where none is written; nil where one has to be.
    public var fallback: Attribute?
  }

  /// The operation's name in `.wg` and in dumps.
  public var name: String
  /// What the operands are called, in order.
  public var operands: [String]
  /// Whether there may be any number of operands from one on.
  public var isVariadic = false
  public var attributes: [Parameter] = []
  /// What the operation computes, in one sentence.
  public var summary: String

  init(
    _ name: String, _ operands: [String], variadic: Bool = false, _ attributes: [(String, AttributeKind)] = [], _ summary: String
  ) {
    self.name = name
    self.operands = operands
    self.isVariadic = variadic
    self.attributes = attributes.map { Parameter(label: $0, kind: $1, fallback: $1 == .flag ? .flag(false) : nil) }
    self.summary = summary
  }

  /// The schema with an attribute more, which is `fallback` where none is written.
  private func with(_ label: String, _ kind: AttributeKind, default fallback: Attribute) -> OperationSchema {
    var schema = self
    schema.attributes.append(Parameter(label: label, kind: kind, fallback: fallback))
    return schema
  }
}

extension OperationSchema {
  /// The schema of every operation.
  public static let all: [OperationSchema] =
    sources + UnaryFunction.allCases.map(unary) + BinaryFunction.allCases.map(binary) + movement
    + ReductionFunction.allCases.map(reduction) + contractions + indexed

  /// The schemas by name.
  public static let byName: [String: OperationSchema] = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  private static let sources: [OperationSchema] = [
    .init(
      "input", [],
      [("name", .text), ("element", .element), ("shape", .integers), ("from", .binding)],
      "A tensor that the runtime provides anew in every step."),
    .init(
      "parameter", [], [("name", .text), ("shape", .integers), ("initial", .initializer)],
      "A tensor that the model learns; its learning rate is the schedule's times `rate_scale`, and a frozen one keeps its values."
    )
    .with("rate_scale", .number, default: .number(1))
    .with("decay", .symbol(ParameterGroup.Decay.allCases.map(\.rawValue)), default: .symbol(ParameterGroup.Decay.byRank.rawValue))
    .with("frozen", .flag, default: .flag(false))
    .with("layers_above", .integer, default: .integer(0)),
    .init(
      "state", [], [("name", .text), ("shape", .integers), ("role", .role)],
      "A tensor that the optimiser or the model keeps between steps, `start` everywhere before the first."
    )
    .with("start", .number, default: .number(0)),
    .init("accumulator", [], [("name", .text), ("shape", .integers)], "A tensor that adds up over the rounds of one step."),
    .init("constant", [], [("value", .number), ("shape", .integers)], "A tensor whose elements are all the same."),
    .init(
      "position_table", [], [("width", .integer), ("grid", .integer), ("class_token", .flag)],
      "The fixed sine-cosine table of positions on a square grid."),
  ]

  private static func unary(_ function: UnaryFunction) -> OperationSchema {
    .init(function.rawValue, ["x"], [], function.summary)
  }

  private static func binary(_ function: BinaryFunction) -> OperationSchema {
    .init(function.rawValue, ["left", "right"], [], function.summary)
  }

  private static let movement: [OperationSchema] = [
    .init(
      "convert", ["x"], [("to", .element)], "The elements as numbers of another type: i32 and bf16 as f32, or f32 rounded to bf16."),
    .init("detach", ["x"], [], "The operand, with no gradient flowing back."),
    .init("broadcast", ["x"], [("shape", .integers)], "The operand repeated along axes of extent 1."),
    .init("reshape", ["x"], [("shape", .integers)], "The same elements under another shape."),
    .init("transpose", ["x"], [("permutation", .integers)], "The axes in another order."),
    .init(
      "slice", ["x"], [("axis", .integer), ("start", .integer), ("count", .integer), ("step", .integer)],
      "Evenly spaced elements along an axis."),
    .init(
      "pad", ["x"], [("axis", .integer), ("start", .integer), ("extent", .integer), ("step", .integer)],
      "The operand among zeros: the adjoint of slice."),
    .init("concatenate", ["x"], variadic: true, [("axis", .integer)], "The operands one after the other."),
  ]

  private static func reduction(_ function: ReductionFunction) -> OperationSchema {
    .init(function.rawValue, ["x"], [("axes", .integers)], function.summary)
  }

  private static let contractions: [OperationSchema] = [
    .init(
      "matmul", ["left", "right"], [("transpose_left", .flag), ("transpose_right", .flag)],
      "The product of matrices in the last two axes."),
    .init("attention", ["query", "key", "value"], [("heads", .integer)], "Scaled softmax attention."),
    .init(
      "attention_gradient", ["query", "key", "value", "gradient"],
      [("heads", .integer), ("operand", .symbol(AttentionOperand.allCases.filter { $0 != .bias }.map(\.rawValue)))],
      "The gradient of attention for one of its operands."),
    .init(
      "group_attention", ["query", "key", "value", "bias", "groups"], [("heads", .integer)],
      "Scaled softmax attention within groups of tokens, with a bias for each pair."),
    .init(
      "group_attention_gradient", ["query", "key", "value", "bias", "groups", "gradient"],
      [("heads", .integer), ("operand", .symbol(AttentionOperand.allCases.map(\.rawValue)))],
      "The gradient of attention within groups for one of its operands; that for the table of biases is each sample's own."),
  ]

  private static let indexed: [OperationSchema] = [
    .init("gather", ["rows", "indices"], [], "Rows picked by index in each sample."),
    .init("scatter_add", ["values", "indices"], [("rows", .integer)], "Rows added up by index: the adjoint of gather."),
    .init("rank", ["x"], [], "The rank of each number in ascending order, from 0 on."),
    .init("invert_permutation", ["x"], [], "The inverse of a permutation."),
    .init(
      "finer_indices", ["cells"], [("grid", .integer), ("side", .integer)],
      "The cells of a grid `side` times as fine that make up cells of a grid, quarter by quarter."),
    .init(
      "window_groups", ["cells"], [("grid", .integer), ("window", .integer), ("shift", .integer)],
      "Tokens at cells of a grid by the windows that it is cut into: their order, the ends of the groups, their codes."),
    .init(
      "wavelet_analysis", ["images"], [("wavelet", .symbol(Wavelet.allCases.map(\.rawValue)))],
      "One level of a two-dimensional wavelet analysis: PyWavelets' cA, cH, cV and cD of `periodization`."),
    .init(
      "wavelet_adjoint", ["bands"], [("wavelet", .symbol(Wavelet.allCases.map(\.rawValue)))],
      "The adjoint of wavelet_analysis: the inverse where the wavelet is orthogonal."),
  ]
}
