import WaMIMCompiler

extension KernelEmitter {
  /// Emits softmax attention within groups, one head of one group at a time.
  func emit(_ attention: GroupAttentionKernel, _ layout: GroupAttentionLayout) {
    let workspace = GroupAttentionWorkspace(layout)
    let emitter = GroupAttentionEmitter(emitter: self, kernel: attention, layout: layout, tables: workspace.tables)
    let (keys, values, queries) = (
      emitter.matrix(workspace.keys), emitter.matrix(workspace.values), emitter.matrix(workspace.queries)
    )
    let (scores, results) = (emitter.matrix(workspace.scores), emitter.matrix(workspace.results))
    let scales = emitter.matrix(workspace.scales).address

    emitter.forEachHead { head in
      emitter.copyTransposed(attention.key, head, to: keys)
      emitter.copy(attention.value, head, to: values)
      emitter.copy(attention.query, head, to: queries, factor: attention.shape.scale)
      emitter.productWithColumns(queries, keys, to: scores, head)
      builder.loop(from: builder.index(0), to: head.count) { row, _ in
        let line = scores.moved(rows: row, in: builder).address
        let scale = emitter.scoreRows(head).exponentials(line, code: emitter.code(row))
        builder.store(scale, builder.advance(scales, by: row))
        return []
      }
      emitter.productOverTokens(scores, values, to: results, head)
      emitter.copy(results, to: attention.result, head, factors: scales)
    }
  }

  /// Emits the gradient of attention within groups, which computes the probabilities of a group again.
  func emit(_ kernel: GroupAttentionGradientKernel, _ layout: GroupAttentionLayout) {
    let gradient = GroupAttentionGradientEmitter(kernel, layout, self)
    gradient.emitter.forEachHead(start: gradient.clearBiasGradient) { gradient.emitHead($0) }
  }
}

/// The gradient of one attention within groups: its matrices in the workspace, and the steps of one head of a group.
private struct GroupAttentionGradientEmitter {
  let kernel: GroupAttentionGradientKernel
  let emitter: GroupAttentionEmitter
  private let keyColumns, valueColumns, keyRows, queries, gradients: MatrixView
  private let probabilities, scoreGradients, results: MatrixView

  init(_ kernel: GroupAttentionGradientKernel, _ layout: GroupAttentionLayout, _ kernelEmitter: KernelEmitter) {
    let workspace = GroupAttentionGradientWorkspace(layout)
    self.kernel = kernel
    emitter = GroupAttentionEmitter(
      emitter: kernelEmitter, kernel: kernel.attention, layout: layout, tables: workspace.tables)
    (keyColumns, valueColumns) = (emitter.matrix(workspace.keyColumns), emitter.matrix(workspace.valueColumns))
    (keyRows, queries, gradients) = (
      emitter.matrix(workspace.keyRows), emitter.matrix(workspace.queries), emitter.matrix(workspace.gradients)
    )
    (probabilities, scoreGradients) = (emitter.matrix(workspace.probabilities), emitter.matrix(workspace.scoreGradients))
    results = emitter.matrix(workspace.results)
  }

  private var builder: IRBuilder { emitter.builder }
  private var attention: GroupAttentionKernel { kernel.attention }
  private var shape: GroupAttentionShape { attention.shape }

  /// Begins the sums of one unit's gradient of the biases.
  func clearBiasGradient(unit: Value) {
    guard let biasGradient = kernel.biasGradient else { return }
    let target = emitter.emitter.address(biasGradient, unit: unit)
    emitter.emitter.forEachRun(of: shape.biasCount * shape.heads) { element, run in
      builder.store(builder.constant(0, lanes: run.lanes), builder.advance(target, by: element), count: run.count, lanes: run.lanes)
    }
  }

  func emitHead(_ head: GroupAttentionEmitter.GroupHead) {
    emitter.copyTransposed(attention.key, head, to: keyColumns)
    emitter.copyTransposed(attention.value, head, to: valueColumns)
    emitter.copy(attention.query, head, to: queries, factor: shape.scale)
    emitter.copy(attention.result, head, to: gradients)
    emitter.productWithColumns(queries, keyColumns, to: probabilities, head)
    emitter.productWithColumns(gradients, valueColumns, to: scoreGradients, head)
    emitScores(head)
    if let target = kernel.valueGradient {
      emitter.productOverTokens(probabilities.transposed, gradients, to: results, head)
      emitter.copy(results, to: target, head)
    }
    // The queries are scaled already, their gradients are not.
    if let target = kernel.keyGradient {
      emitter.productOverTokens(scoreGradients.transposed, queries, to: results, head)
      emitter.copy(results, to: target, head)
    }
    if let target = kernel.queryGradient {
      emitter.copy(attention.key, head, to: keyRows)
      emitter.productOverTokens(scoreGradients, keyRows, to: results, head)
      emitter.copy(results, to: target, head, factor: shape.scale)
    }
  }

  /// The probabilities, the gradients of the scores, and what those add to the gradient of the biases.
  private func emitScores(_ head: GroupAttentionEmitter.GroupHead) {
    let table = kernel.biasGradient.map { builder.advance(emitter.emitter.address($0, unit: head.unit), by: head.index) }
    builder.loop(from: builder.index(0), to: head.count) { row, _ in
      let (scores, code) = (emitter.scoreRows(head), emitter.code(row))
      let line = scoreGradients.moved(rows: row, in: builder).address
      scores.softmaxGradient(probabilities.moved(rows: row, in: builder).address, line, code: code)
      if let table { scores.addBiasGradients(line, code: code, to: table, stride: shape.heads) }
      return []
    }
  }
}
