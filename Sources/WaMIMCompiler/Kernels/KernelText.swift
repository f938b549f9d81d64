import WaMIMGraph

extension Kernel {
  /// The kernel as text: its arguments, its loops, and how a backend carries them out, where that is known.
  public func text(named name: String, variant: String? = nil) -> String {
    var lines = ["kernel \(name) {"]
    for (index, argument) in arguments.enumerated() {
      let unit = argument.unitStride > 0 ? ", \(argument.unitStride) a unit" : ""
      lines.append("  a\(index): \(argument.element.rawValue)[\(argument.count)] \(argument.access.rawValue)\(unit)")
    }
    lines += body.lines.map { "  " + $0 }
    if let variant { lines.append("  variant: \(variant)") }
    lines.append("}")
    return lines.joined(separator: "\n") + "\n"
  }
}

extension KernelBody {
  fileprivate var lines: [String] {
    switch self {
    case .rows(let kernel): kernel.lines()
    case .columns(let kernel): kernel.lines
    case .matmul(let kernel): kernel.lines
    case .attention(let kernel): kernel.lines
    case .attentionGradient(let kernel): kernel.lines
    case .groupAttention(let kernel): kernel.lines
    case .groupAttentionGradient(let kernel): kernel.lines
    case .index(let kernel): [kernel.line]
    case .wavelet(let kernel): kernel.lines
    case .sequence(let kernel): kernel.lines
    case .parallel(let kernel): kernel.lines
    }
  }
}

extension RowKernel {
  /// - Parameter units: What the first loop's extent is followed by.
  fileprivate func lines(over units: String = " units") -> [String] {
    let loops = outer.enumerated().map { "i\($0) < \($1)\($0 == 0 ? units : "")" }
    return ["for each row \(loops.joined(separator: ", ")) {"] + stages.flatMap { $0.lines(width) }.map { "  " + $0 } + ["}"]
  }
}

extension RowStage {
  fileprivate func lines(_ width: Int) -> [String] {
    var lines = [extent == .elements ? "for each of \(width) elements {" : "once {"]
    lines += instructions.enumerated().map { "  x\($0) = \($1.text)" }
    for result in results {
      lines.append("  s\(result.slot) = \(result.reduction.map { "\($0.rawValue) of " } ?? "")x\(result.operand)")
    }
    lines += stores.map { "  \($0.access.text) = \($0.sumsRows ? "sum of rows of " : "")x\($0.operand)" }
    return lines + ["}"]
  }
}

extension Instruction {
  fileprivate var text: String {
    switch self {
    case .load(let access): access.text
    case .constant(let value): "\(value)"
    case .scalar(let slot): "s\(slot)"
    case .rounded(let x): "bf16(x\(x))"
    case .unary(let function, let operand): "\(function.rawValue) x\(operand)"
    case .binary(let function, let left, let right): "\(function.rawValue) x\(left), x\(right)"
    }
  }
}

extension Access {
  fileprivate var text: String {
    let picked = pick.map { " + \($0.stride) * a\($0.argument)[\(affine($0.offset, $0.strides))]" } ?? ""
    return "a\(argument)[\(affine(offset, strides))\(picked)]"
  }
}

/// An offset and strides as a sum over loop indices, such as `3 + 64 * i0 + i1`.
private func affine(_ offset: Int, _ strides: [Int]) -> String {
  var terms = offset == 0 ? [] : ["\(offset)"]
  for (loop, stride) in strides.enumerated() where stride != 0 {
    terms.append(stride == 1 ? "i\(loop)" : "\(stride) * i\(loop)")
  }
  return terms.isEmpty ? "0" : terms.joined(separator: " + ")
}

extension ColumnKernel {
  fileprivate var lines: [String] {
    let units: String
    switch partition {
    case .outer: units = "units are i0"
    case .columns(let block): units = "units are blocks of \(block) columns"
    }
    let kept = outer.enumerated().map { "i\($0) < \($1)" }
    let combined = reduced.enumerated().map { "i\(outer.count + $0) < \($1)" }
    var lines = [
      "for each column i\(outer.count + reduced.count) < \(width) of \(kept.isEmpty ? "all rows" : kept.joined(separator: ", ")), \(units) {",
      "  over \(combined.joined(separator: ", ")) {",
    ]
    lines += instructions.enumerated().map { "    x\($0) = \($1.text)" }
    lines.append("  }")
    lines += results.map { result in
      // A result's access has no strides for the loops that are combined, but counts its column like the others.
      let strides = Array(result.access.strides.dropLast()) + reduced.map { _ in 0 } + result.access.strides.suffix(1)
      return
        "  a\(result.access.argument)[\(affine(result.access.offset, strides))] = \(result.function.rawValue) of x\(result.operand)"
    }
    return lines + ["}"]
  }
}

extension MatmulKernel {
  fileprivate var lines: [String] {
    let units: String
    switch partition {
    case .samples(let rows): units = "units of \(rows) rows"
    case .products(let batches): units = "units of \(batches) products"
    case .rows(let block): units = "units of up to \(block) rows"
    }
    let factors = "\(left.text) * \(right.text)" + (factor == .float32 ? "" : " in \(factor.rawValue)")
    let product =
      "matmul \(m) x \(n) x \(k): \(result.text) \(accumulates ? "+=" : "=") \(factors), \(units), workspace a\(workspace)"
      + (keepsProduct ? "" : ", for the epilogue alone")
    let sums = leftSums.map { ["with a\($0.argument)[\($0.offset)...] = sums of rows of the left side"] } ?? []
    return [product] + sums + (epilogue.map { ["then"] + $0.lines(over: epilogueUnits).map { "  " + $0 } } ?? [])
  }

  /// What is said of the epilogue's first loop.
  private var epilogueUnits: String {
    guard case .rows = partition else { return " units" }
    return result.argument == workspace ? ", in a\(workspace) counted from the first row of the block" : ""
  }
}

extension MatmulKernel.Matrix {
  fileprivate var text: String {
    let batch = batchStride > 0 ? ", \(batchStride) a matrix" : ""
    return "a\(argument)[\(offset)...; \(rowStride) a row\(batch)]\(isTransposed ? " transposed" : "")"
  }
}

extension TokenRows {
  fileprivate var text: String { "a\(argument)[\(offset)...; \(rowStride) a row]" }
}

extension AttentionShape {
  fileprivate var text: String { "\(heads) heads of \(headWidth), \(queryCount) queries, \(keyCount) keys" }
}

extension AttentionKernel {
  fileprivate var lines: [String] {
    [
      "attention of \(shape.text), workspace a\(workspace) {", "  query = \(query.text)", "  key = \(key.text)",
      "  value = \(value.text)", "  result = \(result.text)", "}",
    ]
  }
}

extension AttentionGradientKernel {
  fileprivate var lines: [String] {
    let results = [("query", queryGradient), ("key", keyGradient), ("value", valueGradient)].compactMap { name, rows in
      rows.map { "  \(name) gradient = \($0.text)" }
    }
    return [
      "attention gradient of \(shape.text), workspace a\(workspace) {", "  query = \(query.text)", "  key = \(key.text)",
      "  value = \(value.text)", "  gradient = \(gradient.text)",
    ] + results + ["}"]
  }
}

extension GroupAttentionShape {
  fileprivate var text: String {
    "\(heads) heads of \(headWidth), \(tokenCount) tokens in windows of \(window) x \(window), about \(expectedPairs) pairs"
  }
}

extension GroupAttentionKernel {
  fileprivate var operandLines: [String] {
    ["  query = \(query.text)", "  key = \(key.text)", "  value = \(value.text)", "  bias = a\(bias), groups = a\(groups)"]
  }

  fileprivate var lines: [String] {
    ["attention within groups of \(shape.text), workspace a\(workspace) {"] + operandLines + ["  result = \(result.text)", "}"]
  }
}

extension GroupAttentionGradientKernel {
  fileprivate var lines: [String] {
    let results = [("query", queryGradient), ("key", keyGradient), ("value", valueGradient)].compactMap { name, rows in
      rows.map { "  \(name) gradient = \($0.text)" }
    }
    return ["gradient of attention within groups of \(attention.shape.text), workspace a\(attention.workspace) {"]
      + attention.operandLines + ["  gradient = \(attention.result.text)"] + results
      + (biasGradient.map { ["  bias gradient = a\($0)"] } ?? []) + ["}"]
  }
}

extension IndexKernel {
  fileprivate var line: String {
    switch self {
    case .rank(let rows, let width): "a1 = rank of a0, \(rows) rows of \(width) a unit"
    case .invertPermutation(let rows, let width): "a1 = inverse of a0, \(rows) rows of \(width) a unit"
    case .scatterAdd(let scatter):
      "a2 = \(scatter.samples == 1 ? "" : "\(scatter.samples) x ")\(scatter.count) rows a0[\(scatter.sourceOffset)...; "
        + "\(scatter.samples == 1 ? "" : "\(scatter.sampleStride) a sample, ")\(scatter.rowStride) a row] added at a1 in zeros "
        + "\(scatter.rows) x \(scatter.width)"
    case .finerIndices(let count, let grid, let side, let offset):
      "a1 = finer cells of \(side) x \(side) tokens in each of \(count) cells a0[\(offset)...] of a grid \(grid) x \(grid)"
    case .windowGroups(let count, let cut, let offset, let workspace):
      "a1 = groups of \(count) tokens a0[\(offset)...] by windows of \(cut.window) shifted by \(cut.shift) of a grid \(cut.grid) x "
        + "\(cut.grid), workspace a\(workspace)"
    }
  }
}

extension WaveletKernel.Planes {
  fileprivate var text: String { "a\(argument)[\(offset)...; \(channelStride) a channel, \(rowStride) a row]" }
}

extension WaveletKernel {
  fileprivate var lines: [String] {
    let planes = zip(WaveletKernel.bandNames, bands).compactMap { name, planes in planes.map { "  \(name) = \($0.text)" } }
    return [
      "wavelet \(direction.rawValue) by \(wavelet.rawValue), \(channels) channels of bands \(rows) x \(columns), workspace a\(workspace) {",
      "  pictures = \(pictures.text)",
    ] + planes + ["}"]
  }
}

extension SequenceKernel {
  fileprivate var lines: [String] {
    ["for each unit in turn {"] + members.flatMap(\.lines).map { "  " + $0 } + ["}"]
  }
}

extension SequenceKernel.Member {
  fileprivate var lines: [String] {
    switch self {
    case .wavelet(let kernel): kernel.lines
    case .rows(let kernel): kernel.lines()
    }
  }
}

extension ParallelKernel {
  fileprivate var lines: [String] {
    ["at the same time {"] + groups.flatMap(\.lines).map { "  " + $0 } + ["}"]
  }
}

extension ParallelKernel.Repetition {
  /// The kernel once, with what its arguments are called there and here.
  fileprivate var lines: [String] {
    func names(_ numbers: [Int]) -> String { "(" + numbers.map { "a\($0)" }.joined(separator: ", ") + ")" }
    let members = (0..<count).map { names(arguments(of: $0)) }
    return ["for \(names(operands)) in \(members.joined(separator: ", ")) {"] + kernel.body.lines.map { "  " + $0 } + ["}"]
  }
}
