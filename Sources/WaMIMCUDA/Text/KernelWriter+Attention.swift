import WaMIMCompiler

/// How attention is cut: rows that a block of threads works on, and rows of the other side that lie in shared memory at a time.
struct AttentionTiling {
  var rows: Int
  var step: Int
  let threads = 128

  /// Bytes of a tile, up to where another array may begin. A row has a number more than columns, so that those of a column lie in
  /// different banks.
  static func byteCount(rows: Int, columns: Int) -> Int { (4 * rows * (columns + 1)).roundedUp(to: 16) }

  /// Bytes of shared memory that a block has without asking for more.
  private static let sharedBytes = 48 << 10

  /// The most rows whose tiles fit: so many matrices of scores with `count` columns, and tiles with `width` columns.
  init?(scores: Int, count: Int, tiles: Int, width: Int) {
    for rows in [32, 16, 8, 4, 2, 1] {
      for step in [32, 16, 8] {
        let arrays = [(scores, rows, count), (tiles, rows, width), (1, step, width)]
        if arrays.reduce(0, { $0 + $1.0 * Self.byteCount(rows: $1.1, columns: $1.2) }) <= Self.sharedBytes {
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
  func pointer(_ rows: TokenRows, width: Int) -> String {
    let unit = kernel.arguments[rows.argument].unitStride
    return "a\(rows.argument) + " + affine(rows.offset, [unit, width], ["unit", "head"])
  }

  /// Writes which unit, head and rows a block has.
  func writeCoordinates(_ shape: AttentionShape, _ tiling: AttentionTiling, count: Int, to source: inout SourceText) {
    let parts = count.dividedUp(by: tiling.rows)
    source.line("const int first = block % \(parts) * \(tiling.rows);")
    source.line("const int head = block / \(parts) % \(shape.heads);")
    source.line("const int unit = block / \(parts * shape.heads);")
  }

  /// Whether products of tiles run on tensor cores: rows that are bf16, and whole instructions.
  func usesTensorCores(_ operands: [TokenRows], _ shape: AttentionShape, _ tiling: AttentionTiling) -> Bool {
    operands.allSatisfy { kernel.arguments[$0.argument].element == .bfloat16 }
      && [shape.headWidth, tiling.rows, tiling.step].allSatisfy { $0.isMultiple(of: 16) }
  }

  func blocks(_ shape: AttentionShape, _ tiling: AttentionTiling, count: Int) -> Int {
    count.dividedUp(by: tiling.rows) * shape.heads * units
  }

  /// The prelude's names for products of rows, and for weighted sums of rows.
  static func productNames(onTensorCores: Bool) -> (multiply: String, store: String) {
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

  /// A function that says that rows of scores do not fit in shared memory; emitting it is refused.
  func tooLong(_ purpose: String) -> CUDAFunction {
    CUDAFunction(purpose: purpose, blocks: 0, threads: 0, body: "")
  }
}
