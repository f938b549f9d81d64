import WaMIMGraph

extension Language {
  /// `graph` as text, one operation a line with its type; the text describes an equal graph.
  public static func print(_ graph: Graph) -> String {
    Printer(graph: graph).text
  }
}

/// Writes a graph as a source text.
private struct Printer {
  var graph: Graph

  var text: String {
    var lines = ["model \(isName(graph.name) ? graph.name : quoted(graph.name))", ""]
    lines += graph.values.map(line)
    lines.append("")
    lines += results
    lines += graph.updates.map { "update \(name($0.state)) = \(name($0.value))" }
    if let pictures = graph.pictures { lines.append("pictures " + call(pictures)) }
    lines += ["", "train {"] + training(graph.training).map { "  " + $0 } + ["}"]
    return lines.joined(separator: "\n") + "\n"
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
      // Flags are false where nothing is said.
      attribute == .flag(false) ? nil : "\(parameter.label): \(written(attribute))"
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
    case .initializer(.constant(let value)): "filled(\(written(value)))"
    case .initializer(.normal(let standardDeviation)): "normal(\(written(standardDeviation)))"
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
    }
  }

  private func training(_ training: Training) -> [String] {
    let augmentation = training.augmentation
    let area = augmentation.cropArea.map(interval) ?? "none"
    let steps =
      ["random_resized_crop(area: \(area), aspect: \(interval(augmentation.cropAspect)))"]
      + (augmentation.horizontalFlip ? ["horizontal_flip"] : [])
      + ["normalize(mean: \(written(augmentation.mean)), std: \(written(augmentation.standardDeviation)))"]
    return [
      "optimizer: adamw(base_lr: \(written(training.baseLearningRate)), betas: \(written(training.betas)), "
        + "weight_decay: \(written(training.weightDecay)), epsilon: \(written(training.epsilon)), "
        + "batch_accumulation: \(training.batchAccumulation))",
      "schedule: cosine(epochs: \(written(training.epochs)), warmup: \(written(training.warmupEpochs)), "
        + "min_lr: \(written(training.minimumLearningRate)))",
      "augment: [\(steps.joined(separator: ", "))]",
    ]
  }

  private func interval(_ ends: [Double]) -> String {
    ends.count == 2 ? "\(written(ends[0]))..\(written(ends[1]))" : written(ends)
  }

  // MARK: Literals

  private func written(_ values: [Double]) -> String {
    "[\(values.map(written).joined(separator: ", "))]"
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
