import WaMIMCompiler

/// A matrix product on AMX, whose factors have 16 bits: a float32 number is three of those, a bf16 number one.
///
/// A block of rows is copied in kBlocks, and multiplied with one panel of columns after the other, which are copied for it.
/// What follows the product runs on a few panels' columns of all rows at a time, while those of the last block are near.
struct AMXProduct {
  let builder: IRBuilder
  /// Columns of the result.
  let n: Int
  /// Whether the product is added to what the result holds.
  let accumulates: Bool
  let tiling: AMXTiling
  let layout: AMXLayout
  /// About as many rows as there are.
  let expectedRows: Int
  /// Where the copies of two panels go, then a tile of which the result has a piece only, then the rows' copy.
  let workspace: Address

  init(_ matmul: MatmulKernel, _ variant: MatmulVariant, in emitter: KernelEmitter) {
    builder = emitter.builder
    n = matmul.n
    accumulates = matmul.accumulates
    tiling = AMXTiling(factor: matmul.factor)
    layout = AMXLayout(tiling, k: matmul.k, mostRows: variant.mostRows)
    expectedRows = variant.expectedRows
    workspace = emitter.workspace(matmul.workspace)
  }

  var kBlocks: [Int] { layout.kBlocks }
  private var mostRows: Int { layout.mostRows }
  private var blockRows: Int { layout.blockRows }
  private var tileExtent: Int { AMXTiling.tileExtent }

  var loneTile: Address { builder.advance(workspace, by: layout.loneTileOffset) }
  var rowsCopy: Address { builder.advance(workspace, by: layout.rowsOffset) }

  /// Emits `result = left · right`, or adds to it.
  ///
  /// - Parameter epilogue: Emits what is done to a range of finished columns.
  func emit(
    _ rows: ProductRows, left: MatrixView, right: MatrixView, result: MatrixView, epilogue: (_ column: Value, _ count: Int) -> Void
  ) {
    builder.configureAMX()
    let all = builder.multiplyIntegers(rows.runs, rows.rowsPerRun)
    emitBlocks(of: all) { first, count, isLast in
      let block = AMXRows(product: self, rows: rows, left: left, right: right, result: result, first: first, count: count)
      block.emit { column, columns in
        builder.loop(from: builder.index(0), to: isLast) { _, _ in
          epilogue(column, columns)
          return []
        }
      }
    }
    builder.releaseAMX()
  }

  /// Blocks of about as many rows, whole tiles but for the last one; mostly there is one. `isLast` is 1 for the last one, else 0.
  private func emitBlocks(of all: Value, _ body: (_ first: Value, _ count: Value, _ isLast: Value) -> Void) {
    guard mostRows > blockRows else { return body(builder.index(0), all, builder.index(1)) }
    func quotient(_ value: Value, _ divisor: Value) -> Value {
      builder.divideIntegers(builder.addIntegers(value, builder.subtractIntegers(divisor, builder.index(1))), divisor)
    }
    let one = builder.index(1)
    let count = builder.maximumInteger(quotient(all, builder.index(blockRows)), one)
    let tiles = quotient(quotient(all, count), builder.index(tileExtent))
    let size = builder.multiplyIntegers(tiles, builder.index(tileExtent))
    builder.loop(from: builder.index(0), to: count) { block, _ in
      let first = builder.multiplyIntegers(block, size)
      let left = builder.subtractIntegers(builder.subtractIntegers(count, block), one)
      body(
        first, builder.minimumInteger(size, builder.subtractIntegers(all, first)),
        builder.subtractIntegers(one, builder.minimumInteger(left, one)))
      return []
    }
  }

  /// Runs `body` for each group of columns.
  fileprivate func forEachGroup(_ body: (_ column: Value, _ count: Int) -> Void) {
    let size = AMXTiling.groupColumns
    builder.loop(count: n / size, step: size) { column, _ in
      body(column, size)
      return []
    }
    if n % size > 0 { body(builder.index(n / size * size), n % size) }
  }
}

/// A block of a product's rows.
struct AMXRows {
  let product: AMXProduct
  let rows: ProductRows
  let left: MatrixView
  let right: MatrixView
  let result: MatrixView
  /// The first row, and how many there are.
  let first: Value
  let count: Value

  var builder: IRBuilder { product.builder }

  func emit(_ epilogue: (_ column: Value, _ count: Int) -> Void) {
    let kBlocks = product.kBlocks
    let (kBlock, last) = (kBlocks[0], kBlocks.count - 1)
    if last > 0 {
      emitKBlock(from: builder.index(0), kBlock: kBlock, accumulates: product.accumulates) { _, _ in }
      builder.loop(from: builder.index(kBlock), to: builder.index(last * kBlock), step: kBlock) { term, _ in
        emitKBlock(from: term, kBlock: kBlock, accumulates: true) { _, _ in }
        return []
      }
    }
    emitKBlock(
      from: builder.index(last * kBlock), kBlock: kBlocks[last], accumulates: product.accumulates || last > 0, epilogue: epilogue)
  }

  /// A kBlock, from a term on.
  private func emitKBlock(
    from term: Value, kBlock: Int, accumulates: Bool, epilogue: (_ column: Value, _ count: Int) -> Void
  ) {
    copyRows(from: term, kBlock: kBlock)
    let panels = AMXPanels(
      block: self, right: right.moved(rows: term, in: builder), kBlock: kBlock, accumulates: accumulates)
    panels.copyFirst()
    product.forEachGroup { column, columns in
      panels.emit(from: column, columns: columns)
      epilogue(column, columns)
    }
  }

  private func copyRows(from term: Value, kBlock: Int) {
    let terms = left.moved(columns: term, in: builder)
    let hasRuns = !rows.isOneRun
    precondition(!hasRuns || left.columnStride == 1, "only rows that lie together come in runs")
    let source = hasRuns ? terms : terms.moved(rows: first, in: builder)
    let isContiguous = left.columnStride == 1
    copy(
      AMXCopier(tiling: product.tiling, rows: .lines, contiguous: isContiguous ? .terms : .lines, hasRuns: hasRuns), from: source,
      stride: left.distantStride, count: count, kBlock: kBlock, to: product.rowsCopy)
  }

  /// Copies columns of the right side, from where `source` begins.
  func copyColumns(of source: MatrixView, count: Int, kBlock: Int, to target: Address) {
    let isContiguous = source.columnStride == 1
    copy(
      AMXCopier(tiling: product.tiling, rows: .terms, contiguous: isContiguous ? .lines : .terms), from: source,
      stride: source.distantStride, count: builder.index(count), kBlock: kBlock, to: target)
  }

  private func copy(
    _ copier: AMXCopier, from source: MatrixView, stride: Int, count: Value, kBlock: Int, to target: Address
  ) {
    builder.call(
      builder.shared(copier),
      [builder.pointer(source.address), builder.pointer(target), count, builder.index(kBlock), builder.index(stride)]
        + [first, rows.rowsPerRun, builder.index(rows.leftStride)])
  }
}
