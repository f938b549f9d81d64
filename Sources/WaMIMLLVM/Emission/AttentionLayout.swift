import WaMIMCompiler

/// How attention's matrices are cut into tiles and laid out in the workspace.
struct AttentionLayout: Hashable, Sendable {
  /// The most queries whose scores are held at a time.
  private static let queryLimit = 48

  let shape: AttentionShape
  /// Whether products over channels are of pairs of bf16 numbers.
  let multipliesPairs: Bool
  /// Rows of a tile of queries, and of a tile of keys where those are rows.
  let queryTile: Int
  let keyTile: Int
  /// Queries taken at a time, a whole number of tiles.
  let block: Int
  /// Queries and keys rounded up to tiles.
  let queryRows: Int
  let keyRows: Int
  /// Keys rounded up to vectors, and from one row of keys to the next.
  let keyColumns: Int
  let keyStride: Int
  /// Channels of a head, rounded up to vectors.
  let width: Int

  /// The factor that scores still lack after their product: where it is of pairs, queries are not scaled before.
  var scoreScale: Float { multipliesPairs ? shape.scale : 1 }

  /// Elements of 32 bits that a head's channels take in products over them.
  var channelSteps: Int { multipliesPairs ? shape.headWidth / 2 : shape.headWidth }

  /// - Parameter operands: What is multiplied over channels: queries and keys, for the gradient values and gradients too.
  init(_ shape: AttentionShape, _ operands: [TokenRows], of arguments: [KernelArgument], _ instructions: InstructionSet) {
    func rounded(_ extent: Int, to multiple: Int) -> Int { (extent + multiple - 1) / multiple * multiple }
    self.shape = shape
    multipliesPairs =
      instructions.pairs != nil && shape.headWidth.isMultiple(of: 2)
      && operands.allSatisfy { rows in
        let argument = arguments[rows.argument]
        return argument.element == .bfloat16
          && [rows.offset, rows.rowStride, argument.unitStride].allSatisfy { $0.isMultiple(of: 2) }
      }
    queryTile = MicrokernelProduct.tileRows(for: shape.queryCount, instructions)
    keyTile = MicrokernelProduct.tileRows(for: shape.keyCount, instructions)
    queryRows = rounded(shape.queryCount, to: queryTile)
    keyRows = rounded(shape.keyCount, to: keyTile)
    let blocks = (queryRows + AttentionLayout.queryLimit - 1) / AttentionLayout.queryLimit
    block = min(queryRows, rounded((queryRows + blocks - 1) / blocks, to: queryTile))
    keyColumns = rounded(shape.keyCount, to: instructions.lanes)
    // Rows a power of two apart would share few sets of the L1 cache.
    let stride = rounded(max(keyColumns, keyRows), to: instructions.lanes)
    keyStride = stride % 64 == 0 ? stride + 16 : stride
    width = rounded(shape.headWidth, to: instructions.lanes)
  }
}

/// Rows of a matrix in a workspace.
struct WorkspaceRows: Hashable, Sendable {
  /// Elements before the first one.
  let offset: Int
  let stride: Int
}

/// Hands out pieces of a workspace, each beginning on a cache line.
struct WorkspaceCursor {
  /// Elements handed out so far.
  private(set) var used = 0

  /// The next `rows` rows of `stride` elements.
  mutating func take(rows: Int, stride: Int) -> WorkspaceRows {
    let piece = WorkspaceRows(offset: used, stride: stride)
    used += (rows * stride + 15) / 16 * 16
    return piece
  }
}

/// What attention keeps in its workspace: a head's keys as columns and values as rows; for a block of queries those, their scores, results
/// and scales.
struct AttentionWorkspace {
  let keys, values, queries, scores, results, scales: WorkspaceRows
  /// Elements in all.
  let count: Int

  init(_ layout: AttentionLayout) {
    var cursor = WorkspaceCursor()
    keys = cursor.take(rows: layout.shape.headWidth, stride: layout.keyStride)
    values = cursor.take(rows: layout.shape.keyCount, stride: layout.width)
    queries = cursor.take(rows: layout.block, stride: layout.width)
    scores = cursor.take(rows: layout.block, stride: layout.keyStride)
    results = cursor.take(rows: layout.block, stride: layout.width)
    scales = cursor.take(rows: 1, stride: layout.block)
    count = cursor.used
  }
}

/// What attention's gradient keeps in its workspace: keys as columns and as rows, values as columns; for a block of queries those, the
/// gradients of their results, both in pairs as well where those are multiplied, their probabilities and the gradients of those; sums for
/// each key; and the gradients of a block of queries.
struct AttentionGradientWorkspace {
  let keyColumns, valueColumns, keyRows: WorkspaceRows
  let queries, gradients, queryPairs, gradientPairs, probabilities, scoreGradients: WorkspaceRows
  let keyGradients, valueGradients, queryGradients: WorkspaceRows
  /// Elements in all.
  let count: Int

  init(_ layout: AttentionLayout) {
    var cursor = WorkspaceCursor()
    keyColumns = cursor.take(rows: layout.shape.headWidth, stride: layout.keyStride)
    valueColumns = cursor.take(rows: layout.shape.headWidth, stride: layout.keyStride)
    keyRows = cursor.take(rows: layout.shape.keyCount, stride: layout.width)
    queries = cursor.take(rows: layout.block, stride: layout.width)
    gradients = cursor.take(rows: layout.block, stride: layout.width)
    let pairRows = layout.multipliesPairs ? layout.block : 0
    queryPairs = cursor.take(rows: pairRows, stride: layout.width)
    gradientPairs = cursor.take(rows: pairRows, stride: layout.width)
    probabilities = cursor.take(rows: layout.block, stride: layout.keyStride)
    scoreGradients = cursor.take(rows: layout.block, stride: layout.keyStride)
    keyGradients = cursor.take(rows: layout.keyRows, stride: layout.width)
    valueGradients = cursor.take(rows: layout.keyRows, stride: layout.width)
    queryGradients = cursor.take(rows: layout.block, stride: layout.width)
    count = cursor.used
  }
}
