import WaMIMCompiler

/// A part of attention's gradient: whose rows a block works on, and what lies in shared memory meanwhile.
private struct GradientPart {
  enum Side {
    case queries
    case keys

    /// The names of a block's own rows: what they are, and what is given for their gradients.
    var rows: [String] {
      switch self {
      case .queries: ["query", "given"]
      case .keys: ["key", "value"]
      }
    }
  }

  let side: Side
  let tiling: AttentionTiling
  /// How many queries or keys there are.
  let count: Int
  private let arrays: [(name: String, rows: Int, columns: Int)]

  static let scores = ["weights", "gradients"]

  /// - Returns: nil where a row of scores does not fit in shared memory.
  init?(_ side: Side, of shape: AttentionShape) {
    let (queries, keys, width) = (shape.queryCount, shape.keyCount, shape.headWidth)
    let others = side == .queries ? keys : queries
    guard let tiling = AttentionTiling(scores: 2, count: others, tiles: 2, width: width) else { return nil }
    (self.side, self.tiling) = (side, tiling)
    count = side == .queries ? queries : keys
    arrays =
      Self.scores.map { ($0, tiling.rows, others) } + side.rows.map { ($0, tiling.rows, width) } + [("tile", tiling.step, width)]
  }

  var sharedBytes: Int { arrays.reduce(0) { $0 + AttentionTiling.byteCount(rows: $1.rows, columns: $1.columns) } }

  /// Writes the arrays, each by itself or in memory that is called `shared`.
  func writeArrays(inShared: Bool, to source: inout SourceText) {
    var offset = 0
    for array in arrays {
      let type = "Tile<\(array.rows), \(array.columns)>"
      source.line(
        inShared ? "\(type)& \(array.name) = *(\(type)*)(shared + \(offset));" : "__shared__ ALIGNED(16) \(type) \(array.name);")
      offset += AttentionTiling.byteCount(rows: array.rows, columns: array.columns)
    }
  }
}

extension KernelWriter {
  /// The gradients: first those of queries, which leave statistics of their rows, then those of keys and values; in one launch where
  /// there are enough heads for blocks that do both, else in two.
  func functions(of gradient: AttentionGradientKernel) -> [CUDAFunction] {
    let shape = gradient.shape
    guard let queries = GradientPart(.queries, of: shape), let keys = GradientPart(.keys, of: shape) else {
      return [tooLong("attention_gradient")]
    }
    let wantsKeys = gradient.keyGradient != nil || gradient.valueGradient != nil
    guard wantsKeys else { return [function(of: queries, gradient)] }
    let heads = shape.heads * units
    if heads < Self.blocksOfProcessor * architecture.processors {
      return [function(of: queries, gradient), function(of: keys, gradient)]
    }
    return [function(ofHeads: heads, queries, keys, gradient)]
  }

  /// Blocks that a processor shall have at least, so that none waits for a few long ones.
  private static let blocksOfProcessor = 4

  /// One part by itself: a block for some rows of a head.
  private func function(of part: GradientPart, _ gradient: AttentionGradientKernel) -> CUDAFunction {
    function(
      part.side == .queries ? "query_gradient" : "key_gradient", blocks: blocks(gradient.shape, part.tiling, count: part.count),
      threads: part.tiling.threads,
      usesTensorCores: usesTensorCores(part, gradient)
    ) { source in
      part.writeArrays(inShared: false, to: &source)
      writeCoordinates(gradient.shape, part.tiling, count: part.count, to: &source)
      source.line("float* statistics = \(statistics(gradient));")
      write(part, gradient, to: &source)
    }
  }

  /// Both parts: a block for each head, which works on some rows after the other.
  private func function(
    ofHeads heads: Int, _ queries: GradientPart, _ keys: GradientPart, _ gradient: AttentionGradientKernel
  ) -> CUDAFunction {
    let parts = [queries, keys]
    return function(
      "attention_gradient", blocks: heads, threads: queries.tiling.threads,
      usesTensorCores: parts.contains { usesTensorCores($0, gradient) }
    ) { source in
      source.line("__shared__ ALIGNED(16) char shared[\(parts.map(\.sharedBytes).max() ?? 0)];")
      source.line("const int head = block % \(gradient.shape.heads), unit = block / \(gradient.shape.heads);")
      source.line("float* statistics = \(statistics(gradient));")
      for part in parts {
        source.loop("first", below: "\(part.count)", by: "\(part.tiling.rows)") { source in
          part.writeArrays(inShared: true, to: &source)
          write(part, gradient, to: &source)
          source.line("block_barrier();")
        }
      }
    }
  }

  private func write(_ part: GradientPart, _ gradient: AttentionGradientKernel, to source: inout SourceText) {
    switch part.side {
    case .queries: writeQueryGradient(part, gradient, to: &source)
    case .keys: writeKeyGradient(part, gradient, to: &source)
    }
  }

  private func usesTensorCores(_ part: GradientPart, _ gradient: AttentionGradientKernel) -> Bool {
    usesTensorCores([gradient.query, gradient.key, gradient.value, gradient.gradient], gradient.shape, part.tiling)
  }

  /// Where the statistics of a unit's and head's queries begin.
  private func statistics(_ gradient: AttentionGradientKernel) -> String {
    let row = RowStatistics.count * gradient.shape.queryCount
    return "a\(gradient.workspace) + " + affine(workspace.kept, [workspace.unitCount, row], ["unit", "head"])
  }

  /// Writes the work on queries from `first` on.
  private func writeQueryGradient(_ part: GradientPart, _ gradient: AttentionGradientKernel, to source: inout SourceText) {
    let (shape, threads, queries) = (gradient.shape, part.tiling.threads, part.count)
    writeScores(part, gradient, own: [gradient.query, gradient.gradient], others: [gradient.key, gradient.value], to: &source)
    source.line("softmax_rows<\(threads)>(weights, \(shape.scale.cuda), statistics, first, \(queries));")
    source.line("softmax_gradient<\(threads)>(gradients, weights, statistics, first, \(queries));")
    if let target = gradient.queryGradient {
      writeSums(part, gradient, target, "gradients", of: gradient.key, scale: shape.scale, to: &source)
    }
  }

  /// Writes the work on keys from `first` on.
  private func writeKeyGradient(_ part: GradientPart, _ gradient: AttentionGradientKernel, to source: inout SourceText) {
    let (shape, tiling, queries) = (gradient.shape, part.tiling, gradient.shape.queryCount)
    writeScores(part, gradient, own: [gradient.key, gradient.value], others: [gradient.query, gradient.gradient], to: &source)
    source.line("// The probabilities once more, with what the queries' rows have left.")
    source.loop("e", from: "threadIdx.x", below: "\(tiling.rows * queries)", by: "\(tiling.threads)") { source in
      source.line("const int i = e / \(queries), j = e % \(queries);")
      source.line("const float* row = statistics + \(RowStatistics.count) * j;")
      source.line("const float weight = exponential((weights.at[i][j] - row[0]) * \(shape.scale.cuda)) * row[1];")
      source.line("weights.at[i][j] = weight;")
      source.line("gradients.at[i][j] = weight * (gradients.at[i][j] - row[2]);")
    }
    if let target = gradient.valueGradient {
      writeSums(part, gradient, target, "weights", of: gradient.gradient, scale: 1, to: &source)
    }
    if let target = gradient.keyGradient {
      writeSums(part, gradient, target, "gradients", of: gradient.query, scale: shape.scale, to: &source)
    }
  }

  /// Writes the loading of a part's own rows, and their products with all rows of the other side.
  private func writeScores(
    _ part: GradientPart, _ gradient: AttentionGradientKernel, own: [TokenRows], others: [TokenRows], to source: inout SourceText
  ) {
    let (threads, width) = (part.tiling.threads, gradient.shape.headWidth)
    let (multiply, _) = Self.productNames(onTensorCores: usesTensorCores(part, gradient))
    for (name, rows) in zip(part.side.rows, own) {
      source.line("load<\(threads)>(\(name), \(pointer(rows, width: width)), \(rows.rowStride), first, \(part.count));")
    }
    for (products, (left, rows)) in zip(GradientPart.scores, zip(part.side.rows, others)) {
      source.line(
        "\(multiply)<\(threads)>(\(products), \(left), \(pointer(rows, width: width)), \(rows.rowStride), tile);")
    }
  }

  /// Writes the storing of sums of the other side's rows, weighted by some scores.
  private func writeSums(
    _ part: GradientPart, _ gradient: AttentionGradientKernel, _ target: TokenRows, _ scores: String, of rows: TokenRows,
    scale: Float, to source: inout SourceText
  ) {
    let width = gradient.shape.headWidth
    let (_, store) = Self.productNames(onTensorCores: usesTensorCores(part, gradient))
    source.line(
      "\(store)<\(part.tiling.threads)>(\(pointer(target, width: width)), \(target.rowStride), first, \(part.count), \(scores), "
        + "\(pointer(rows, width: width)), \(rows.rowStride), tile, \(scale.cuda));")
  }
}
