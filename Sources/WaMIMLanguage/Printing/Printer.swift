import WaMIMGraph
import WaMIMTraining

extension Language {
  /// `model` as text, one operation a line with its type; the text describes an equal model.
  public static func print(_ model: Model) -> String {
    let trained = Printer(model: model, graph: model.graph)
    let evaluated = model.evaluation.map { Printer(model: model, graph: $0) }
    let lines =
      trained.heading + trained.body + (evaluated.map { ["", "evaluation", ""] + $0.body } ?? [])
      + trained.closing
    return lines.joined(separator: "\n") + "\n"
  }
}

/// Writes a model as a source text.
private struct Printer {
  var model: Model
  var graph: Graph

  var heading: [String] { ["model \(isName(graph.name) ? graph.name : quoted(graph.name))", ""] }

  /// The graph's operations and results.
  var body: [String] {
    graph.values.map(line) + [""] + results + graph.updates.map { "update \(name($0.state)) = \(name($0.value))" }
  }

  /// What the model has besides graphs.
  var closing: [String] {
    var lines: [String] = []
    if let pictures = model.pictures { lines.append("pictures " + call(pictures)) }
    for block in Setting.Block.allCases {
      let settings = settings(of: block)
      if !settings.isEmpty { lines += ["", "\(block.rawValue) {"] + settings.map { "  " + $0 } + ["}"] }
    }
    return lines
  }

  private func name(_ value: ValueID) -> String { "v\(value.index)" }

  private func isName(_ text: String) -> Bool {
    guard let first = text.utf8.first, Lexer.isLetter(first), text.utf8.count <= Lexer.longestName else { return false }
    return text.utf8.allSatisfy { Lexer.isLetter($0) || Lexer.isDigit($0) } && Token.Keyword(rawValue: text) == nil
  }

  // MARK: Operations

  private func line(_ value: ValueID) -> String {
    let node = graph[value]
    let schema = node.operation.schema
    let attributes = zip(schema.attributes, node.operation.attributes).compactMap { parameter, attribute in
      attribute == parameter.fallback ? nil : "\(parameter.label): \(written(attribute))"
    }
    let arguments = node.operands.map(name) + attributes
    let membership = (node.region == .forward ? [] : [node.region.rawValue]) + (node.scope.isEmpty ? [] : [quoted(node.scope)])
    return "let \(name(value)): \(node.type) = \(node.operation.name)(\(arguments.joined(separator: ", ")))"
      + (membership.isEmpty ? "" : " in " + membership.joined(separator: " "))
  }

  private func written(_ attribute: Attribute) -> String {
    switch attribute {
    case .integer(let value): "\(value)"
    case .number(let value): written(value)
    case .flag(let value): "\(value)"
    case .text(let text): quoted(text)
    case .integers(let values): "\(values)"
    case .symbol(let word): word
    case .element(let element): element.rawValue
    case .binding(.data(let field)): "data(\(quoted(field)))"
    case .binding(.random(samples: 0)): "random()"
    case .binding(.random(let samples)): "random(samples: \(samples ?? -1))"
    case .binding(.hyperparameter(let name)): "hyperparameter(\(quoted(name)))"
    case .role(.moment(let order, let parameter)): "moment(\(order), of: \(quoted(parameter)))"
    case .role(.average(let parameter)): "average(of: \(quoted(parameter)))"
    case .role(.rounded(let parameter)): "rounded(of: \(quoted(parameter)))"
    case .role(.parameter): "parameter()"
    case .role(.buffer): "buffer()"
    case .initializer(.constant(let value)): "filled(\(written(value)))"
    case .initializer(.normal(let standardDeviation)): "normal(\(written(standardDeviation)))"
    case .initializer(.positions(let grid, let classToken)): "positions(grid: \(grid), class_token: \(classToken))"
    case .initializer(.xavierUniform(let fanIn, let fanOut)): "xavier_uniform(fan_in: \(fanIn), fan_out: \(fanOut))"
    }
  }

  // MARK: Results

  /// The outputs in their order, the loss among them.
  private var results: [String] {
    var isLossWritten = graph.loss == nil
    var lines: [String] = []
    for output in graph.outputs {
      if output.name == "loss", output.value == graph.loss, !isLossWritten {
        isLossWritten = true
        lines.append("loss \(name(output.value))")
      } else {
        lines.append("output \(quoted(output.name)) = \(name(output.value))")
      }
    }
    if !isLossWritten, let loss = graph.loss { lines.append("minimize \(name(loss))") }
    return lines
  }

  private func call(_ pictures: Pictures) -> String {
    switch pictures {
    case .wavelet(let wavelet, let levels, let subbands, let normalization):
      "wavelet(wavelet: \(wavelet.rawValue), levels: \(levels), subbands: \(subbands), normalization: \(normalization))"
    case .patches(let patch, let normalized): "patches(patch: \(patch), normalized: \(normalized))"
    case .cells(let patches, let normalized): "cells(patches: \(patches), normalized: \(normalized))"
    }
  }

  /// What a block says, a clause a line; of `evaluate`, what is not the default.
  private func settings(of block: Setting.Block) -> [String] {
    Setting.Clause.all(in: block).compactMap { clause in
      let settings = Setting.all(in: clause)
      let isDefault = settings.flatMap(\.hyperparameters).allSatisfy { model.recipe[$0] == $0.anyDefault }
      if isDefault, block == .evaluate || clause == .averages { return nil }
      if clause == .precision, !model.recipe.isMixedPrecision { return nil }
      let calls = settings.flatMap(calls)
      return clause.label + ": " + (clause.isList ? "[\(calls.joined(separator: ", "))]" : calls.joined())
    }
  }

  /// The setting with its arguments, as often as the recipe needs it named.
  private func calls(_ setting: Setting) -> [String] {
    let hyperparameters = setting.hyperparameters
    if setting.isRepeatable {
      return hyperparameters.flatMap { hyperparameter -> [String] in
        guard case .numbers(let numbers) = model.recipe[hyperparameter] else { return [] }
        return numbers.map { "\(setting.name)(\(Int($0)))" }
      }
    }
    guard !setting.isIdle(in: model.recipe) else { return [] }
    let arguments = hyperparameters.compactMap { hyperparameter in
      hyperparameter.label.map { "\($0): \(written(model.recipe[hyperparameter]))" }
    }
    if !arguments.isEmpty { return ["\(setting.name)(\(arguments.joined(separator: ", ")))"] }
    // Naming it is all that there is to say.
    return !setting.clause.isList || hyperparameters.contains { setting.implied[$0.name] == model.recipe[$0] } ? [setting.name] : []
  }

  // MARK: Literals

  private func written(_ value: HyperparameterValue) -> String {
    switch value {
    case .number(let number): written(number)
    case .integer(let integer): "\(integer)"
    case .flag(let flag): "\(flag)"
    case .numbers(let numbers): "[\(numbers.map(written).joined(separator: ", "))]"
    case .texts(let texts): "[\(texts.map(quoted).joined(separator: ", "))]"
    case .interval(let interval): "\(written(interval.lower))..\(written(interval.upper))"
    case .none: "none"
    }
  }

  private func written(_ value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-infinity" : "infinity" }
    return "\(value)"
  }

  /// The shortest digits that give `value` again when they are read in double precision and then rounded.
  private func written(_ value: Float) -> String {
    let shortest = "\(value)"
    guard value.isFinite, let read = Double(shortest), Float(read) == value else { return written(Double(value)) }
    return shortest
  }

  private func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      default:
        if SourceText.isControl(scalar) {
          result += "\\u{\(String(scalar.value, radix: 16))}"
        } else {
          result.unicodeScalars.append(scalar)
        }
      }
    }
    return result + "\""
  }
}
