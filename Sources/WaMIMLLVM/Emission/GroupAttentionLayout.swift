import WaMIMCompiler

/// How the matrices of attention within groups are cut into tiles and laid out in the workspace, which holds one head of one group.
struct GroupAttentionLayout: Hashable, Sendable {
  let shape: GroupAttentionShape
  /// Rows of a tile.
  let tileRows: Int
  /// Tokens of the largest group, rounded up to tiles and to vectors.
  let rows: Int
  let columns: Int
  /// From one row of keys to the next.
  let keyStride: Int
  /// Channels of a head, rounded up to vectors.
  let width: Int

  init(_ shape: GroupAttentionShape, _ instructions: InstructionSet) {
    func rounded(_ extent: Int, to multiple: Int) -> Int { (extent + multiple - 1) / multiple * multiple }
    self.shape = shape
    // A token is in a group of so many on average.
    tileRows = MicrokernelProduct.tileRows(for: max(1, shape.expectedPairs / shape.tokenCount), instructions)
    rows = rounded(shape.largestGroup, to: tileRows)
    columns = rounded(shape.largestGroup, to: instructions.lanes)
    // Rows a power of two apart would share few sets of the L1 cache.
    let stride = rounded(max(columns, rows), to: instructions.lanes)
    keyStride = stride % 64 == 0 ? stride + 16 : stride
    width = rounded(shape.headWidth, to: instructions.lanes)
  }
}

/// The tables that attention within groups and its gradient keep: biases, head by head; the tokens of a group and their codes, both as
/// integers and the last one repeated up to whole vectors.
struct GroupTables {
  let biases, tokens, codes: WorkspaceRows

  init(_ layout: GroupAttentionLayout, _ cursor: inout WorkspaceCursor) {
    biases = cursor.take(rows: layout.shape.heads, stride: layout.shape.biasCount)
    tokens = cursor.take(rows: 1, stride: layout.columns)
    codes = cursor.take(rows: 1, stride: layout.columns)
  }
}

/// What attention within groups keeps in its workspace.
struct GroupAttentionWorkspace {
  let tables: GroupTables
  let keys, values, queries, scores, results, scales: WorkspaceRows
  /// Elements in all.
  let count: Int

  init(_ layout: GroupAttentionLayout) {
    var cursor = WorkspaceCursor()
    tables = GroupTables(layout, &cursor)
    keys = cursor.take(rows: layout.shape.headWidth, stride: layout.keyStride)
    values = cursor.take(rows: layout.rows, stride: layout.width)
    queries = cursor.take(rows: layout.rows, stride: layout.width)
    scores = cursor.take(rows: layout.rows, stride: layout.keyStride)
    results = cursor.take(rows: layout.rows, stride: layout.width)
    scales = cursor.take(rows: 1, stride: layout.rows)
    count = cursor.used
  }
}

/// What the gradient of attention within groups keeps in its workspace.
struct GroupAttentionGradientWorkspace {
  let tables: GroupTables
  let keyColumns, valueColumns, keyRows, queries, gradients, probabilities, scoreGradients, results: WorkspaceRows
  /// Elements in all.
  let count: Int

  init(_ layout: GroupAttentionLayout) {
    var cursor = WorkspaceCursor()
    tables = GroupTables(layout, &cursor)
    keyColumns = cursor.take(rows: layout.shape.headWidth, stride: layout.keyStride)
    valueColumns = cursor.take(rows: layout.shape.headWidth, stride: layout.keyStride)
    keyRows = cursor.take(rows: layout.rows, stride: layout.width)
    queries = cursor.take(rows: layout.rows, stride: layout.width)
    gradients = cursor.take(rows: layout.rows, stride: layout.width)
    probabilities = cursor.take(rows: layout.rows, stride: layout.keyStride)
    scoreGradients = cursor.take(rows: layout.rows, stride: layout.keyStride)
    results = cursor.take(rows: layout.rows, stride: layout.width)
    count = cursor.used
  }
}
