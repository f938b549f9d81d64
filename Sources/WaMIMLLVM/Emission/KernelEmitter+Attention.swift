import WaMIMCompiler

// Attention runs on vectors also where there is AMX. A tile of scores is a sum over the channels of a head alone, so that AMX
// would write it after few products; and probabilities would be copied as splits to be multiplied with as few columns. On a Xeon of 2023 that
// took a seventh longer for 147 queries and 197 keys of 32 channels, their gradient a fifth longer, and that of 50 tokens of 64 channels half
// as long again.

extension KernelEmitter {
  /// Emits softmax attention, a block of queries of one head at a time, its scores in the L1 caches.
  func emit(_ attention: AttentionKernel, _ layout: AttentionLayout) {
    let emitter = AttentionEmitter(emitter: self, layout: layout)
    let (workspace, shape) = (AttentionWorkspace(layout), attention.shape)
    func matrix(_ rows: WorkspaceRows) -> MatrixView { emitter.matrix(rows, in: attention.workspace) }
    let (keys, values, queries) = (matrix(workspace.keys), matrix(workspace.values), matrix(workspace.queries))
    let (scores, results, scales) = (matrix(workspace.scores), matrix(workspace.results), matrix(workspace.scales).address)

    emitter.forEachHead { unit, head in
      emitter.copyTransposed(emitter.rows(attention.key, unit: unit, head: head), to: keys)
      emitter.copy(emitter.rows(attention.value, unit: unit, head: head), to: values, count: builder.index(shape.keyCount))
      let query = emitter.rows(attention.query, unit: unit, head: head)
      let result = emitter.rows(attention.result, unit: unit, head: head)
      emitter.forEachBlock { start, rows, count in
        emitter.copyFactors(query.moved(rows: start, in: builder), to: queries, count: count, factor: shape.scale)
        emitter.productWithKeys(rows, queries, keys, to: scores)
        builder.loop(from: builder.index(0), to: count) { row, _ in
          let token = builder.addIntegers(start, row)
          emitter.prefetch([attention.query, attention.key, attention.value], row: token, after: head, of: unit)
          emitter.prefetch([attention.result], row: token, unit: unit, head: head)
          let scale = ScoreRows(builder: builder, keyCount: shape.keyCount, scale: layout.scoreScale).exponentials(
            scores.moved(rows: row, in: builder).address)
          builder.store(scale, builder.advance(scales, by: row))
          return []
        }
        emitter.productOverKeys(rows, scores, values, to: results)
        emitter.copy(results, to: result.moved(rows: start, in: builder), count: count, factors: scales)
      }
    }
  }

  /// Emits attention's gradient, which computes the probabilities of a block of queries again.
  func emit(_ kernel: AttentionGradientKernel, _ layout: AttentionLayout) {
    let gradient = AttentionGradientEmitter(kernel, AttentionEmitter(emitter: self, layout: layout))
    gradient.emitter.forEachHead { unit, head in gradient.emitHead(unit: unit, head: head) }
  }
}

/// The gradient of one attention: its matrices in the workspace, and the steps of one head.
private struct AttentionGradientEmitter {
  let kernel: AttentionGradientKernel
  let emitter: AttentionEmitter
  private let keyColumns, keyRows, valueColumns: MatrixView
  private let queries, gradients, probabilities, scoreGradients: MatrixView
  /// What products over channels read of a block of queries.
  private let queryFactors, gradientFactors: MatrixView
  private let keyGradients, valueGradients, queryGradients: MatrixView

  init(_ kernel: AttentionGradientKernel, _ emitter: AttentionEmitter) {
    self.kernel = kernel
    self.emitter = emitter
    let workspace = AttentionGradientWorkspace(emitter.layout)
    func matrix(_ rows: WorkspaceRows) -> MatrixView { emitter.matrix(rows, in: kernel.workspace) }
    (keyColumns, keyRows) = (matrix(workspace.keyColumns), matrix(workspace.keyRows))
    valueColumns = matrix(workspace.valueColumns)
    (queries, gradients) = (matrix(workspace.queries), matrix(workspace.gradients))
    let multipliesPairs = emitter.layout.multipliesPairs
    queryFactors = multipliesPairs ? matrix(workspace.queryPairs) : queries
    gradientFactors = multipliesPairs ? matrix(workspace.gradientPairs) : gradients
    (probabilities, scoreGradients) = (matrix(workspace.probabilities), matrix(workspace.scoreGradients))
    (keyGradients, valueGradients) = (matrix(workspace.keyGradients), matrix(workspace.valueGradients))
    queryGradients = matrix(workspace.queryGradients)
  }

  private var builder: IRBuilder { emitter.builder }
  private var shape: AttentionShape { kernel.shape }

  func emitHead(unit: Value, head: Value) {
    let keyCount = builder.index(shape.keyCount)
    let key = emitter.rows(kernel.key, unit: unit, head: head)
    emitter.copyTransposed(key, to: keyColumns)
    emitter.copyTransposed(emitter.rows(kernel.value, unit: unit, head: head), to: valueColumns)
    if kernel.queryGradient != nil { emitter.copy(key, to: keyRows, count: keyCount) }
    if kernel.keyGradient != nil { emitter.fillWithZeros(keyGradients, rows: emitter.layout.keyRows) }
    if kernel.valueGradient != nil { emitter.fillWithZeros(valueGradients, rows: emitter.layout.keyRows) }

    emitter.forEachBlock { start, rows, count in emitBlock(start, rows: rows, count: count, unit: unit, head: head) }

    if let target = kernel.keyGradient {
      emitter.copy(keyGradients, to: emitter.rows(target, unit: unit, head: head), count: keyCount)
    }
    if let target = kernel.valueGradient {
      emitter.copy(valueGradients, to: emitter.rows(target, unit: unit, head: head), count: keyCount)
    }
  }

  private func emitBlock(_ start: Value, rows: Value, count: Value, unit: Value, head: Value) {
    func fromStart(_ tokens: TokenRows) -> MatrixView {
      emitter.rows(tokens, unit: unit, head: head).moved(rows: start, in: builder)
    }
    emitter.copy(fromStart(kernel.query), to: queries, count: count, factor: shape.scale)
    emitter.copy(fromStart(kernel.gradient), to: gradients, count: count)
    if emitter.layout.multipliesPairs {
      emitter.copyFactors(fromStart(kernel.query), to: queryFactors, count: count)
      emitter.copyFactors(fromStart(kernel.gradient), to: gradientFactors, count: count)
    }
    emitter.productWithKeys(rows, queryFactors, keyColumns, to: probabilities)
    emitter.productWithKeys(rows, gradientFactors, valueColumns, to: scoreGradients)
    builder.loop(from: builder.index(0), to: count) { row, _ in
      let token = builder.addIntegers(start, row)
      emitter.prefetch([kernel.query, kernel.key, kernel.value, kernel.gradient], row: token, after: head, of: unit)
      emitter.prefetch(
        [kernel.queryGradient, kernel.keyGradient, kernel.valueGradient].compactMap(\.self), row: token, unit: unit, head: head)
      ScoreRows(builder: builder, keyCount: shape.keyCount, scale: emitter.layout.scoreScale).softmaxGradient(
        probabilities.moved(rows: row, in: builder).address, scoreGradients.moved(rows: row, in: builder).address)
      return []
    }
    if kernel.valueGradient != nil {
      emitter.addProductOverQueries(count, probabilities, gradients, to: valueGradients)
    }
    // The queries are scaled already, their gradients are not.
    if kernel.keyGradient != nil { emitter.addProductOverQueries(count, scoreGradients, queries, to: keyGradients) }
    if let target = kernel.queryGradient {
      emitter.productOverKeys(rows, scoreGradients, keyRows, to: queryGradients)
      emitter.copy(queryGradients, to: fromStart(target), count: count, factor: shape.scale)
    }
  }
}
