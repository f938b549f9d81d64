import WaMIMCompiler

/// How attention's matrices are cut into tiles and laid out in the workspace.
struct AttentionLayout {
  let shape: AttentionShape
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

  init(_ shape: AttentionShape, processor: TargetProcessor) {
    func rounded(_ extent: Int, to multiple: Int) -> Int { (extent + multiple - 1) / multiple * multiple }
    self.shape = shape
    queryTile = TileProduct.tileRows(for: shape.queryCount, processor: processor)
    keyTile = TileProduct.tileRows(for: shape.keyCount, processor: processor)
    queryRows = rounded(shape.queryCount, to: queryTile)
    keyRows = rounded(shape.keyCount, to: keyTile)
    let blocks = (queryRows + AttentionShape.queryBlock - 1) / AttentionShape.queryBlock
    block = min(queryRows, rounded((queryRows + blocks - 1) / blocks, to: queryTile))
    keyColumns = rounded(shape.keyCount, to: processor.lanes)
    // Rows a power of two apart would share few sets of the first cache.
    let stride = rounded(max(keyColumns, keyRows), to: processor.lanes)
    keyStride = stride % 64 == 0 ? stride + 16 : stride
    width = rounded(shape.headWidth, to: processor.lanes)
  }
}

/// Hands out parts of a workspace, each beginning on a cache line.
struct WorkspaceCursor {
  private let start: Address
  /// Elements handed out so far.
  private(set) var used = 0

  init(_ start: Address) { self.start = start }

  /// The next `rows` rows of `stride` elements.
  mutating func take(rows: Int, stride: Int, in builder: IRBuilder) -> MatrixView {
    let view = MatrixView(place: builder.advance(start, by: used), rowStride: stride)
    used += (rows * stride + 15) / 16 * 16
    return view
  }
}
