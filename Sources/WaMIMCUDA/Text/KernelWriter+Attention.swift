import WaMIMCompiler

/// How attention is cut: rows that a block of threads works on, and rows of the other side that lie in shared memory at a time.
private struct AttentionTiling {
  var rows: Int
  var step: Int
  let threads = 128

  /// Bytes of shared memory that a block has without asking for more.
  private static let sharedBytes = 48 << 10

  /// The most rows whose tiles fit: so many matrices of scores with `count` columns, and tiles with `width` columns.
  init?(scores: Int, count: Int, tiles: Int, width: Int) {
    for rows in [32, 16, 8, 4, 2, 1] {
      for step in [32, 16, 8] {
        let numbers = scores * rows * (count + 1) + (tiles * rows + step) * (width + 1)
        if numbers * 4 <= Self.sharedBytes {
          (self.rows, self.step) = (rows, step)
          return
        }
      }
    }
    return nil
  }
}

extension KernelWriter {
  /// The pointer to one head of a unit's rows.
  private func pointer(_ rows: TokenRows, width: Int) -> String {
    let unit = kernel.arguments[rows.argument].unitStride
    return "a\(rows.argument) + " + affine(rows.offset, [unit, width], ["unit", "head"])
  }

  /// Writes which unit, head and rows a block has.
  private func writeCoordinates(_ shape: AttentionShape, _ tiling: AttentionTiling, count: Int, to source: inout SourceText) {
    let parts = count.dividedUp(by: tiling.rows)
    source.line("const int first = block % \(parts) * \(tiling.rows);")
    source.line("const int head = block / \(parts) % \(shape.heads);")
    source.line("const int unit = block / \(parts * shape.heads);")
  }

  /// Whether products of tiles run on tensor cores: rows that are bf16, and whole instructions.
  private func usesTensorCores(_ operands: [TokenRows], _ shape: AttentionShape, _ tiling: AttentionTiling) -> Bool {
    operands.allSatisfy { kernel.arguments[$0.argument].element == .bfloat16 }
      && [shape.headWidth, tiling.rows, tiling.step].allSatisfy { $0.isMultiple(of: 16) }
  }

  private func blocks(_ shape: AttentionShape, _ tiling: AttentionTiling, count: Int) -> Int {
    count.dividedUp(by: tiling.rows) * shape.heads * units
  }

  /// The prelude's names for products of rows, and for weighted sums of rows.
  private static func productNames(onTensorCores: Bool) -> (multiply: String, store: String) {
    onTensorCores
      ? ("multiply_rows_by_tensors", "store_sums_weighted_by_tensors") : ("multiply_rows", "store_weighted_sums")
  }

  /// Attention: a block for some queries of a head.
  func function(of attention: AttentionKernel) -> CUDAFunction {
    let shape = attention.shape
    let (width, keys) = (shape.headWidth, shape.keyCount)
    guard let tiling = AttentionTiling(scores: 1, count: keys, tiles: 1, width: width) else { return tooLong("attention") }
    let onTensorCores = usesTensorCores([attention.query, attention.key, attention.value], shape, tiling)
    let (multiply, store) = Self.productNames(onTensorCores: onTensorCores)
    return function(
      "attention", blocks: blocks(shape, tiling, count: shape.queryCount), threads: tiling.threads, usesTensorCores: onTensorCores
    ) { source in
      source.line("__shared__ Tile<\(tiling.rows), \(keys)> scores;")
      source.line("__shared__ Tile<\(tiling.rows), \(width)> query;")
      source.line("__shared__ Tile<\(tiling.step), \(width)> tile;")
      writeCoordinates(shape, tiling, count: shape.queryCount, to: &source)
      source.line(
        "load<\(tiling.threads)>(query, \(pointer(attention.query, width: width)), \(attention.query.rowStride), first, "
          + "\(shape.queryCount));")
      source.line(
        "\(multiply)<\(tiling.threads)>(scores, query, \(pointer(attention.key, width: width)), \(attention.key.rowStride), tile);"
      )
      source.line("softmax_rows<\(tiling.threads)>(scores, \(shape.scale.cuda), nullptr, first, \(shape.queryCount));")
      source.line(
        "\(store)<\(tiling.threads)>(\(pointer(attention.result, width: width)), \(attention.result.rowStride), first, "
          + "\(shape.queryCount), scores, \(pointer(attention.value, width: width)), \(attention.value.rowStride), tile, 1.0f);")
    }
  }

  /// The gradients: first those of queries, which leave statistics of their rows, then those of keys and values.
  func functions(of gradient: AttentionGradientKernel) -> [CUDAFunction] {
    let shape = gradient.shape
    guard
      let byQueries = AttentionTiling(scores: 2, count: shape.keyCount, tiles: 2, width: shape.headWidth),
      let byKeys = AttentionTiling(scores: 2, count: shape.queryCount, tiles: 2, width: shape.headWidth)
    else { return [tooLong("attention_gradient")] }
    let queries = queryGradient(gradient, byQueries)
    let wantsKeys = gradient.keyGradient != nil || gradient.valueGradient != nil
    return [queries] + (wantsKeys ? [keyGradient(gradient, byKeys)] : [])
  }

  /// Where the statistics of a unit's and head's queries begin.
  private func statistics(_ gradient: AttentionGradientKernel) -> String {
    let row = RowStatistics.count * gradient.shape.queryCount
    return "a\(gradient.workspace) + " + affine(workspace.kept, [workspace.unitCount, row], ["unit", "head"])
  }

  private func queryGradient(_ gradient: AttentionGradientKernel, _ tiling: AttentionTiling) -> CUDAFunction {
    let (shape, threads) = (gradient.shape, tiling.threads)
    let operands = [gradient.query, gradient.key, gradient.value, gradient.gradient]
    let onTensorCores = usesTensorCores(operands, shape, tiling)
    let (multiply, store) = Self.productNames(onTensorCores: onTensorCores)
    let (width, keys, queries) = (shape.headWidth, shape.keyCount, shape.queryCount)
    return function(
      "query_gradient", blocks: blocks(shape, tiling, count: queries), threads: threads, usesTensorCores: onTensorCores
    ) { source in
      source.line("__shared__ Tile<\(tiling.rows), \(keys)> weights, gradients;")
      source.line("__shared__ Tile<\(tiling.rows), \(width)> query, given;")
      source.line("__shared__ Tile<\(tiling.step), \(width)> tile;")
      writeCoordinates(shape, tiling, count: queries, to: &source)
      source.line("float* statistics = \(statistics(gradient));")
      for (name, rows) in [("query", gradient.query), ("given", gradient.gradient)] {
        source.line("load<\(threads)>(\(name), \(pointer(rows, width: width)), \(rows.rowStride), first, \(queries));")
      }
      for (products, left, rows) in [("weights", "query", gradient.key), ("gradients", "given", gradient.value)] {
        source.line("\(multiply)<\(threads)>(\(products), \(left), \(pointer(rows, width: width)), \(rows.rowStride), tile);")
      }
      source.line("softmax_rows<\(threads)>(weights, \(shape.scale.cuda), statistics, first, \(queries));")
      source.line("softmax_gradient<\(threads)>(gradients, weights, statistics, first, \(queries));")
      if let target = gradient.queryGradient {
        source.line(
          "\(store)<\(threads)>(\(pointer(target, width: width)), \(target.rowStride), first, \(queries), gradients, "
            + "\(pointer(gradient.key, width: width)), \(gradient.key.rowStride), tile, \(shape.scale.cuda));")
      }
    }
  }

  private func keyGradient(_ gradient: AttentionGradientKernel, _ tiling: AttentionTiling) -> CUDAFunction {
    let (shape, threads) = (gradient.shape, tiling.threads)
    let operands = [gradient.query, gradient.key, gradient.value, gradient.gradient]
    let onTensorCores = usesTensorCores(operands, shape, tiling)
    let (multiply, store) = Self.productNames(onTensorCores: onTensorCores)
    let (width, keys, queries) = (shape.headWidth, shape.keyCount, shape.queryCount)
    return function(
      "key_gradient", blocks: blocks(shape, tiling, count: keys), threads: threads, usesTensorCores: onTensorCores
    ) { source in
      source.line("__shared__ Tile<\(tiling.rows), \(queries)> weights, gradients;")
      source.line("__shared__ Tile<\(tiling.rows), \(width)> key, value;")
      source.line("__shared__ Tile<\(tiling.step), \(width)> tile;")
      writeCoordinates(shape, tiling, count: keys, to: &source)
      source.line("const float* statistics = \(statistics(gradient));")
      for (name, rows) in [("key", gradient.key), ("value", gradient.value)] {
        source.line("load<\(threads)>(\(name), \(pointer(rows, width: width)), \(rows.rowStride), first, \(keys));")
      }
      for (products, left, rows) in [("weights", "key", gradient.query), ("gradients", "value", gradient.gradient)] {
        source.line("\(multiply)<\(threads)>(\(products), \(left), \(pointer(rows, width: width)), \(rows.rowStride), tile);")
      }
      source.line("// The probabilities once more, with what the queries' rows have left.")
      source.loop("e", from: "threadIdx.x", below: "\(tiling.rows * queries)", by: "\(threads)") { source in
        source.line("const int i = e / \(queries), j = e % \(queries);")
        source.line("const float* row = statistics + \(RowStatistics.count) * j;")
        source.line("const float weight = exponential((weights.at[i][j] - row[0]) * \(shape.scale.cuda)) * row[1];")
        source.line("weights.at[i][j] = weight;")
        source.line("gradients.at[i][j] = weight * (gradients.at[i][j] - row[2]);")
      }
      let results = [
        (gradient.valueGradient, "weights", gradient.gradient, Float(1)),
        (gradient.keyGradient, "gradients", gradient.query, shape.scale),
      ]
      for case (let target?, let weights, let rows, let scale) in results {
        source.line(
          "\(store)<\(threads)>(\(pointer(target, width: width)), \(target.rowStride), first, \(keys), \(weights), "
            + "\(pointer(rows, width: width)), \(rows.rowStride), tile, \(scale.cuda));")
      }
    }
  }

  /// A function that says that rows of scores do not fit in shared memory; emitting it is refused.
  func tooLong(_ purpose: String) -> CUDAFunction {
    CUDAFunction(purpose: purpose, blocks: 0, threads: 0, body: "")
  }
}
