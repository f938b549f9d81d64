import WaMIMGraph
import WaMIMLayers
import WaMIMRecipe
import WaMIMTypes

extension BuiltIn {
  private static let axes = Parameter("axes", .integers)

  /// Functions of tensors that are made of several operations.
  static let mathematics: [BuiltIn] = [
    BuiltIn("gelu", [Parameter("x", .tensor)], "The Gaussian error linear unit, exactly: x · Φ(x).") { arguments in
      .tensor(try arguments.tensor("x").gelu())
    },
    BuiltIn("softmax", [Parameter("x", .tensor)], "The softmax along the last axis.") { arguments in
      .tensor(try arguments.tensor("x").softmax())
    },
    BuiltIn(
      "standardize", [Parameter("x", .tensor), axes, Parameter("epsilon", .number, default: .number(1e-6))],
      "The tensor with zero mean and unit variance along `axes`."
    ) { arguments in
      let (x, axes) = (try arguments.tensor("x"), try arguments.integers("axes"))
      return .tensor(x.standardized(axes, epsilon: try arguments.float("epsilon")))
    },
    BuiltIn("mean", [Parameter("x", .tensor), axes], "The mean along `axes`, which stay with an extent of 1.") { arguments in
      .tensor(try arguments.tensor("x").mean(try arguments.integers("axes")))
    },
    BuiltIn("total", [Parameter("x", .tensor)], "The sum of all elements, a scalar.") { arguments in
      .tensor(try arguments.tensor("x").total())
    },
  ]

  /// Functions of values that are known without any tensor.
  static let values: [BuiltIn] = [
    BuiltIn("len", [Parameter("list", .any)], "The number of elements of a list or a range.") { arguments in
      let value = try arguments.value("list")
      guard let count = value.elementCount else { throw GraphError("'len' takes a list, not \(value.description)") }
      return .integer(count)
    },
    BuiltIn(
      "index", [Parameter("value", .text), Parameter("among", .list)], "The index of a string in a list of strings that has it."
    ) { arguments in
      let wanted = try arguments.text("value")
      let texts = try arguments.texts("among")
      guard let index = texts.firstIndex(of: wanted) else {
        throw GraphError(
          "'\(wanted)' is none of \(texts.joined(separator: ", "))\(Spelling.suggestion(for: wanted, among: texts))")
      }
      return .integer(index)
    },
    BuiltIn("floor", [Parameter("x", .number)], "The largest integer that is at most `x`.") { arguments in
      let value = try arguments.number("x")
      guard let integer = Int(exactly: value.rounded(.down)) else { throw GraphError("\(value) has no nearby integer of 64 bits") }
      return .integer(integer)
    },
    BuiltIn("filled", [Parameter("value", .number)], "The initializer that fills a parameter with one number.") { arguments in
      .initializer(.constant(try arguments.float("value")))
    },
    BuiltIn(
      "normal", [Parameter("standard_deviation", .number)],
      "The initializer that draws from the normal distribution around 0."
    ) { arguments in
      .initializer(.normal(standardDeviation: try arguments.float("standard_deviation")))
    },
    BuiltIn(
      "xavier_uniform", [Parameter("fan_in", .integer), Parameter("fan_out", .integer)],
      "The initializer that draws uniformly from ±sqrt(6 / (fan_in + fan_out))."
    ) { arguments in
      .initializer(.xavierUniform(fanIn: try arguments.integer("fan_in"), fanOut: try arguments.integer("fan_out")))
    },
    BuiltIn("data", [Parameter("field", .text)], "What fills an input: a field of the data by name, such as `images`.") {
      arguments in
      .binding(.data(try arguments.text("field")))
    },
    BuiltIn(
      "random", [Parameter("samples", .integer, default: .integer(0))],
      "What fills an input: independent uniform numbers in [0, 1), new in every step, for each sample along the axis `samples`; a batch "
        + "shares them where that is -1."
    ) { arguments in
      let axis = try arguments.integer("samples")
      guard axis >= -1 else { throw GraphError("'samples' has to be an axis, or -1, not \(axis)") }
      return .binding(.random(samples: axis < 0 ? nil : axis))
    },
    BuiltIn(
      "hyperparameter", [Parameter("name", .text)],
      "What fills an input: a number that a run is told by name, such as `weight_decay`."
    ) { arguments in
      let name = try arguments.text("name")
      guard ScheduleScalar.named(name) != nil else {
        let names = Array(ScheduleScalar.byName.keys).sorted()
        throw GraphError("a run is told no number '\(name)'\(Spelling.suggestion(for: name, among: names))")
      }
      return .binding(.hyperparameter(name))
    },
    BuiltIn("buffer", [], "What a state is for: the model keeps it for itself, such as a running mean.") { _ in .role(.buffer) },
    BuiltIn(
      "positions", [Parameter("grid", .integer), Parameter("class_token", .flag, default: .flag(false))],
      "The initializer that gives MAE's sine-cosine table of positions [1, grid² + 1, width], without the 1 where there is no class token."
    ) { arguments in
      .initializer(.positions(grid: try arguments.integer("grid"), classToken: try arguments.flag("class_token")))
    },
    BuiltIn(
      "moment", [Parameter("order", .integer), Parameter("of", .text)],
      "What a state is for: the running mean of powers of the gradients for a parameter."
    ) { arguments in
      .role(.moment(order: try arguments.integer("order"), of: try arguments.text("of")))
    },
    BuiltIn("average", [Parameter("of", .text)], "What a state is for: the running mean over steps of a parameter.") { arguments in
      .role(.average(of: try arguments.text("of")))
    },
    BuiltIn("rounded", [Parameter("of", .text)], "What a state is for: a parameter rounded to bf16, as matmuls read it.") {
      arguments in
      .role(.rounded(of: try arguments.text("of")))
    },
  ]
}
