import WaMIMCompiler

/// A matrix product, computed panel by panel of columns from copies that lie as they are read.
///
/// A panel of the right side is copied once and multiplied with all rows while it is in the cache. The left side is read where it
/// lies unless it is transposed. Neither is copied to be read a few times only. What follows the product runs on a few panels'
/// columns at a time, while those are near.
struct PanelProduct {
  let builder: IRBuilder
  let layout: PanelLayout
  let packing: PanelPacking
  /// Columns of the result.
  let n: Int
  /// Whether the product is added to what the result holds.
  let accumulates: Bool
  let workspace: Address

  var tiling: MatmulTiling { layout.tiling }
  var kBlocks: [Int] { layout.kBlocks }
  var form: PanelForm { layout.form }

  init(_ matmul: MatmulKernel, _ variant: MatmulVariant, in emitter: KernelEmitter) {
    builder = emitter.builder
    layout = PanelLayout(
      matmul, expectedRows: variant.expectedRows, mostRows: variant.mostRows, on: builder.processor.instructionSet)
    packing = PanelPacking(builder: builder, tiling: layout.tiling, form: layout.form)
    n = matmul.n
    accumulates = matmul.accumulates
    workspace = emitter.workspace(matmul.workspace)
  }

  /// Emits `result = left · right`, or adds to it.
  ///
  /// - Parameter epilogue: Emits what is done to a range of finished columns.
  func emit(
    _ rows: ProductRows, left: MatrixView, right: MatrixView, result: MatrixView, epilogue: (_ column: Value, _ count: Int) -> Void
  ) {
    let left = form.inSteps(left, builder)
    let right = form.inSteps(right.transposed, builder).transposed
    func emit(at start: Value, kBlock: Int, accumulates: Bool, isLast: Bool) {
      let end = builder.addIntegers(start, builder.index(kBlock))
      // After the last kBlock comes the first one of the rows below.
      let following = isLast ? left.moved(rows: rows.rowsPerRun, in: builder) : left.moved(columns: end, in: builder)
      let block = KBlock(
        product: self, rows: rows, right: right.moved(rows: start, in: builder), result: result, kBlock: kBlock,
        accumulates: accumulates, endsWithHalf: isLast && layout.endsWithHalf)
      block.emit(left.moved(columns: start, in: builder), following: following, epilogue: isLast ? epilogue : { _, _ in })
    }
    let (first, last) = (kBlocks[0], kBlocks[kBlocks.count - 1])
    emit(at: builder.index(0), kBlock: first, accumulates: accumulates, isLast: kBlocks.count == 1)
    guard kBlocks.count > 1 else { return }
    let end = (kBlocks.count - 1) * first
    builder.loop(from: builder.index(first), to: builder.index(end), step: first) { start, _ in
      emit(at: start, kBlock: first, accumulates: true, isLast: false)
      return []
    }
    emit(at: builder.index(end), kBlock: last, accumulates: true, isLast: true)
  }
}

/// One kBlock of a product.
private struct KBlock {
  let product: PanelProduct
  let rows: ProductRows
  let right: MatrixView
  let result: MatrixView
  let kBlock: Int
  let accumulates: Bool
  /// Whether the last step is half of a pair.
  let endsWithHalf: Bool

  private var builder: IRBuilder { product.builder }
  private var tileRows: Int { product.tiling.tileRows }

  /// The left side as tiles read it: where it lies, or its copy.
  private struct Left {
    var view: MatrixView
    /// Elements from one tile to the next.
    var tileStride: Int
    /// Elements from one run of rows to the next.
    var runStride: Value
    /// Of a copy, what will be copied next.
    var following: MatrixView?
  }

  /// What tiles of one panel read and write.
  private struct Panel {
    var columns: Int
    var left: Left
    var right: MatrixView
    var result: Address
  }

  /// - Parameter following: Where the left side goes on after this kBlock.
  func emit(_ left: MatrixView, following: MatrixView, epilogue: (_ column: Value, _ count: Int) -> Void) {
    let left = prepared(left, following: following)
    let group = product.tiling.groupColumns
    // During its last panel, a copied left side's next kBlock is asked for.
    let equal = left.following == nil ? product.n / group : (product.n - 1) / group
    builder.loop(count: equal, step: group) { column, _ in
      emitGroup(from: column, columns: group, left, isLast: false)
      epilogue(column, group)
      return []
    }
    let rest = product.n - equal * group
    guard rest > 0 else { return }
    emitGroup(from: builder.index(product.n - rest), columns: rest, left, isLast: left.following != nil)
    epilogue(builder.index(product.n - rest), rest)
  }

  private func prepared(_ left: MatrixView, following: MatrixView) -> Left {
    let copy = builder.advance(product.workspace, by: product.layout.leftOffset)
    switch product.layout.leftSide(kBlock: kBlock) {
    case .inPlace:
      let runStride = builder.index(rows.leftStride / product.form.terms)
      return Left(view: left, tileStride: tileRows * left.rowStride, runStride: runStride)
    case .rows(let stride):
      product.packing.copyRows(left, rows, kBlock: kBlock, stride: stride, to: copy)
      let runStride = builder.multiplyIntegers(rows.rowsPerRun, builder.index(stride))
      return Left(view: MatrixView(address: copy, rowStride: stride), tileStride: tileRows * stride, runStride: runStride)
    case .tiles:
      product.packing.packLeft(left, rows: rows.rowsPerRun, kBlock: kBlock, endsWithHalf: endsWithHalf, to: copy)
      return Left(
        view: MatrixView(address: copy, rowStride: 1, columnStride: tileRows),
        tileStride: product.tiling.tileStride(kBlock: kBlock), runStride: builder.index(0), following: following.asWords(builder))
    }
  }

  /// A panel of the right side as tiles read it: where it lies, or its copy.
  private func prepared(_ panel: MatrixView, columns: Int) -> MatrixView {
    let (lanes, hasWholeVectors) = (builder.lanes, columns % builder.lanes == 0)
    guard product.layout.copiesRight || panel.columnStride != 1 || !hasWholeVectors else { return panel }
    product.packing.packRight(panel, columns: columns, kBlock: kBlock, endsWithHalf: endsWithHalf, to: product.workspace)
    return MatrixView(address: product.workspace, rowStride: (columns + lanes - 1) / lanes * lanes)
  }

  /// Panels side by side, of which the widest come first.
  ///
  /// - Parameter isLast: Whether the last of them is the last one of the kBlock.
  private func emitGroup(from start: Value, columns: Int, _ left: Left, isLast: Bool) {
    let widths = product.tiling.panelWidths(columns: columns)
    let alike = isLast ? widths.dropLast() : widths[...]
    var offset = 0
    for width in Set(alike).sorted(by: >) {
      let count = alike.count { $0 == width }
      builder.loop(count: count, step: width) { column, _ in
        let address = builder.addIntegers(builder.addIntegers(start, builder.index(offset)), column)
        emitPanel(at: address, columns: width, left, isLast: false)
        return []
      }
      offset += count * width
    }
    guard isLast else { return }
    emitPanel(at: builder.addIntegers(start, builder.index(offset)), columns: columns - offset, left, isLast: true)
  }

  private func emitPanel(at column: Value, columns: Int, _ left: Left, isLast: Bool) {
    let source = right.moved(columns: column, in: builder)
    let panel = Panel(
      columns: columns, left: left, right: prepared(source, columns: columns),
      result: builder.advance(result.address, by: column))
    let next = source.moved(columns: builder.index(columns), in: builder).asWords(builder)
    var ahead = [PanelPrefetch.nextPanel(next, columns: columns, kBlock: kBlock)]
    if isLast, let following = left.following { ahead.append(.nextKBlock(of: following, tileRows: tileRows)) }
    builder.loop(from: builder.index(0), to: rows.runs) { run, _ in
      var panel = panel
      func moved(_ address: Address, _ stride: Value) -> Address {
        builder.advance(address, by: builder.multiplyIntegers(run, stride))
      }
      panel.left.view.address = moved(left.view.address, left.runStride)
      panel.result = moved(panel.result, builder.index(rows.resultStride))
      emitTiles(of: panel, ahead + requestsNear(panel.left.view))
      return []
    }
  }

  /// The rows of the next tile, of a left side that is read where it lies.
  ///
  /// Rows that all lie in one set of the L1 cache fill it: the next tile's would push out those that are being read.
  private func requestsNear(_ left: MatrixView) -> [PanelPrefetch] {
    let sharesOneSet = left.rowStride * MemoryLayout<Float>.size % InstructionSet.l1WayBytes == 0
    guard left.columnStride == 1, !sharesOneSet else { return [] }
    return [PanelPrefetch.nextTile(of: left, tileRows: tileRows, in: builder)]
  }

  /// All rows of one run: whole tiles, and lower ones for those that remain.
  private func emitTiles(of panel: Panel, _ ahead: [PanelPrefetch]) {
    let left = panel.left
    let height = builder.index(tileRows)
    let tiles = builder.divideIntegers(rows.rowsPerRun, height)
    builder.loop(from: builder.index(0), to: tiles) { tile, _ in
      let row = builder.multiplyIntegers(tile, height)
      let address = builder.multiplyIntegers(tile, builder.index(left.tileStride))
      let requests = ahead.map { $0.request(of: tile, count: tiles, in: builder) }
      emitTile(of: panel, rows: tileRows, at: address, row: row, asking: requests)
      return []
    }
    let full = builder.multiplyIntegers(tiles, height)
    let address = builder.multiplyIntegers(tiles, builder.index(left.tileStride))
    var done = builder.index(0)
    for lower in product.tiling.tileHeights.dropFirst() {
      let end = builder.subtractIntegers(builder.subtractIntegers(rows.rowsPerRun, full), builder.index(lower - 1))
      done =
        builder.loop(from: done, to: end, step: lower, carrying: [done]) { row, _ in
          let within = builder.multiplyIntegers(row, builder.index(left.view.rowStride))
          emitTile(of: panel, rows: lower, at: builder.addIntegers(address, within), row: builder.addIntegers(full, row))
          return [builder.addIntegers(row, builder.index(lower))]
        }[0]
    }
  }

  /// Calls the function of one tile.
  ///
  /// - Parameters:
  ///   - offset: Elements from the start of the left side to the tile.
  ///   - row: The tile's first row in the result.
  private func emitTile(of panel: Panel, rows: Int, at address: Value, row: Value, asking requests: [Microkernel.Request] = []) {
    let left = panel.left.view
    let tile = Microkernel(
      rows: rows, columns: panel.columns, multipliesPairs: product.form == .pairs, leftRow: left.rowStride,
      leftColumn: left.columnStride, rightRow: panel.right.rowStride,
      resultRow: result.rowStride, accumulates: accumulates, prefetches: requests.map(\.prefetch))
    let target = builder.advance(panel.result, by: builder.multiplyIntegers(row, builder.index(result.rowStride)))
    let sides = [builder.advance(left.address, by: address), panel.right.address, target].map(builder.pointer)
    builder.call(builder.shared(tile), sides + [builder.index(kBlock)] + requests.map { builder.pointer($0.address) })
  }
}
