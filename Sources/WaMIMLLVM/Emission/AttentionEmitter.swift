import CLLVM
import WaMIMCompiler

/// What attention and its gradient have in common: moving a head's rows in and out of the workspace, and products there.
struct AttentionEmitter {
  let emitter: KernelEmitter
  let layout: AttentionLayout

  var builder: IRBuilder { emitter.builder }
  var shape: AttentionShape { layout.shape }

  /// A matrix in the workspace that is `argument`.
  func matrix(_ rows: WorkspaceRows, in argument: Int) -> MatrixView {
    MatrixView(address: builder.advance(emitter.workspace(argument), by: rows.offset), rowStride: rows.stride)
  }

  /// Runs `body` for each head of each unit.
  func forEachHead(_ body: (_ unit: Value, _ head: Value) -> Void) {
    emitter.forEachUnit { unit in
      builder.loop(count: shape.heads) { head, _ in
        body(unit, head)
        return []
      }
    }
  }

  /// Runs `body` for each block of queries: its first query, how many rows its tiles have, and how many of them are queries.
  func forEachBlock(_ body: (_ start: Value, _ rows: Value, _ queries: Value) -> Void) {
    let count = (layout.queryRows + layout.block - 1) / layout.block
    builder.loop(count: count, step: layout.block) { start, _ in
      func remaining(_ total: Int) -> Value {
        builder.minimumInteger(builder.index(layout.block), builder.subtractIntegers(builder.index(total), start))
      }
      body(start, remaining(layout.queryRows), remaining(shape.queryCount))
      return []
    }
  }

  /// The rows of one head of one unit.
  func rows(_ tokens: TokenRows, unit: Value, head: Value) -> MatrixView {
    let stride = builder.index(emitter.kernel.arguments[tokens.argument].unitStride)
    var address = emitter.address(tokens.argument, offset: tokens.offset)
    address = builder.advance(address, by: builder.multiplyIntegers(unit, stride))
    address = builder.advance(address, by: builder.multiplyIntegers(head, builder.index(shape.headWidth)))
    return MatrixView(address: address, rowStride: tokens.rowStride)
  }

  /// Asks for one row of each of the matrices that the head after this one will read.
  func prefetch(_ matrices: [TokenRows], row: Value, after head: Value, of unit: Value) {
    let heads = builder.index(shape.heads)
    let next = builder.addIntegers(builder.addIntegers(builder.multiplyIntegers(unit, heads), head), builder.index(1))
    let nextUnit = builder.divideIntegers(next, heads)
    let nextHead = builder.subtractIntegers(next, builder.multiplyIntegers(nextUnit, heads))
    prefetch(matrices, row: row, unit: nextUnit, head: nextHead)
  }

  /// Asks for one row of a head of each of the matrices.
  func prefetch(_ matrices: [TokenRows], row: Value, unit: Value, head: Value) {
    for matrix in matrices {
      builder.prefetch(rows(matrix, unit: unit, head: head).moved(rows: row, in: builder).address, count: shape.headWidth)
    }
  }

  /// Copies `count` rows of a head to where products over channels read them, in pairs or times `factor`.
  func copyFactors(_ source: MatrixView, to target: MatrixView, count: Value, factor: Float = 1) {
    guard layout.multipliesPairs else { return copy(source, to: target, count: count, factor: factor) }
    let pairs = source.asWords(builder)
    builder.loop(from: builder.index(0), to: count) { row, _ in
      emitter.copyRow(
        pairs.moved(rows: row, in: builder).address, to: target.moved(rows: row, in: builder).address, width: layout.channelSteps)
      return []
    }
  }

  /// Copies `count` rows of a head, times `factor`, or times a number of each row.
  func copy(_ source: MatrixView, to target: MatrixView, count: Value, factor: Float = 1, factors: Address? = nil) {
    builder.loop(from: builder.index(0), to: count) { row, _ in
      emitter.copyRow(
        source.moved(rows: row, in: builder).address, to: target.moved(rows: row, in: builder).address, width: shape.headWidth,
        factor: factor, rowFactor: factors.map { builder.load(builder.float, builder.advance($0, by: row)) })
      return []
    }
  }

  /// Copies all keys' rows of a head so that keys are columns, a square of as many keys and channels, or pairs of them, as a vector has
  /// lanes at a time.
  func copyTransposed(_ rows: MatrixView, to target: MatrixView) {
    let lanes = builder.lanes
    let source = layout.multipliesPairs ? rows.asWords(builder) : rows
    emitter.forEachSquareSide(of: shape.keyCount) { key, keys in
      let start = source.moved(rows: key, in: builder).address
      emitter.forEachSquareSide(of: layout.channelSteps) { channel, channels in
        let corner = builder.advance(start, by: channel)
        let lines = (0..<lanes).map { line in
          line < keys
            ? builder.loadNumbers(builder.advance(corner, by: line * source.rowStride), count: channels, lanes: lanes)
            : builder.constant(0, lanes: lanes)
        }
        let to = builder.advance(target.moved(rows: channel, in: builder).address, by: key)
        emitter.storeTransposed(lines, to: to, rowStride: target.rowStride, rows: channels)
      }
    }
  }

  func fillWithZeros(_ matrix: MatrixView, rows: Int) {
    let lanes = builder.lanes
    builder.loop(count: rows * matrix.rowStride / lanes, step: lanes) { element, _ in
      builder.store(builder.constant(0, lanes: lanes), builder.advance(matrix.address, by: element))
      return []
    }
  }

  /// The products of a block of queries' rows with all keys' columns.
  func productWithKeys(_ rows: Value, _ left: MatrixView, _ keys: MatrixView, to result: MatrixView) {
    MicrokernelProduct(
      tileRows: layout.queryTile, columns: layout.keyColumns, accumulates: false, multipliesPairs: layout.multipliesPairs
    )
    .emit(rows: rows, kBlock: builder.index(layout.channelSteps), left: left, right: keys, result: result, in: builder)
  }

  /// Sums all keys' rows of channels, weighted by a block of queries' scores.
  func productOverKeys(_ rows: Value, _ scores: MatrixView, _ channels: MatrixView, to result: MatrixView) {
    MicrokernelProduct(tileRows: layout.queryTile, columns: layout.width, accumulates: false)
      .emit(rows: rows, kBlock: builder.index(shape.keyCount), left: scores, right: channels, result: result, in: builder)
  }

  /// Adds a block of queries' rows of channels, weighted by their scores, to each key's row.
  func addProductOverQueries(_ queries: Value, _ scores: MatrixView, _ channels: MatrixView, to result: MatrixView) {
    MicrokernelProduct(tileRows: layout.keyTile, columns: layout.width, accumulates: true)
      .emit(
        rows: builder.index(layout.keyRows), kBlock: queries, left: scores.transposed, right: channels, result: result, in: builder)
  }
}

extension KernelEmitter {
  /// Copies a row of `width` elements, times `factor` and times a number that is known only then.
  func copyRow(_ source: Address, to target: Address, width: Int, factor: Float = 1, rowFactor: Value? = nil) {
    forEachRun(of: width) { column, run in
      var value = builder.loadNumbers(builder.advance(source, by: column), count: run.count, lanes: run.lanes)
      if factor != 1 { value = builder.multiply(value, builder.constant(factor, lanes: run.lanes)) }
      if let rowFactor { value = builder.multiply(value, builder.splat(rowFactor, lanes: run.lanes)) }
      builder.storeNumbers(value, builder.advance(target, by: column), count: run.count, lanes: run.lanes)
    }
  }

  /// Stores the first `rows` columns of a square of vectors as rows.
  func storeTransposed(_ lines: [Value], to target: Address, rowStride: Int, rows: Int) {
    for (line, column) in builder.transposed(lines).enumerated().prefix(rows) {
      // The rows of a workspace have room for whole vectors.
      builder.store(column, builder.advance(target, by: line * rowStride))
    }
  }

  /// Runs `body` for runs of as many of `count` elements as a vector has lanes, and for what is left.
  func forEachSquareSide(of count: Int, _ body: (_ start: Value, _ count: Int) -> Void) {
    let lanes = builder.lanes
    builder.loop(count: count / lanes, step: lanes) { start, _ in
      body(start, lanes)
      return []
    }
    if count % lanes > 0 { body(builder.index(count - count % lanes), count % lanes) }
  }
}
