import WaMIMCompiler

/// What attention within groups and its gradient have in common: the groups one after the other, a head's rows moved by tokens, products.
struct GroupAttentionEmitter {
  let emitter: KernelEmitter
  let kernel: GroupAttentionKernel
  let layout: GroupAttentionLayout
  let tables: GroupTables

  var builder: IRBuilder { emitter.builder }
  var shape: GroupAttentionShape { layout.shape }

  /// One head of one group of one unit.
  struct GroupHead {
    let unit: Value
    let index: Value
    /// The tokens of the group.
    let count: Value
  }

  /// A matrix in the workspace.
  func matrix(_ rows: WorkspaceRows) -> MatrixView {
    MatrixView(address: builder.advance(emitter.workspace(kernel.workspace), by: rows.offset), rowStride: rows.stride)
  }

  private var tokens: Address { matrix(tables.tokens).address }
  private var codes: Address { matrix(tables.codes).address }

  // MARK: Groups

  /// Runs `start` for each unit, and `body` for each head of each of its groups.
  func forEachHead(start: (_ unit: Value) -> Void = { _ in }, _ body: (GroupHead) -> Void) {
    copyBiases()
    emitter.forEachUnit { unit in
      start(unit)
      let groups = emitter.address(kernel.groups, unit: unit)
      builder.loop(from: builder.index(0), to: builder.index(shape.tokenCount), carrying: [builder.index(0)]) { group, carried in
        let end = index(at: builder.advance(builder.advance(groups, by: shape.tokenCount), by: group))
        let count = builder.subtractIntegers(end, carried[0])
        copyTables(from: builder.advance(groups, by: carried[0]), count: count)
        // Behind the last group there are empty ones.
        let heads = builder.minimumInteger(builder.multiplyIntegers(count, builder.index(shape.heads)), builder.index(shape.heads))
        builder.loop(from: builder.index(0), to: heads) { index, _ in
          body(GroupHead(unit: unit, index: index, count: count))
          return []
        }
        return [end]
      }
    }
  }

  /// Copies the table of biases so that those of one head lie together.
  private func copyBiases() {
    let (source, target) = (emitter.address(kernel.bias), matrix(tables.biases))
    builder.loop(count: shape.biasCount) { row, _ in
      builder.loop(count: shape.heads) { head, _ in
        let from = builder.advance(source, by: builder.addIntegers(builder.multiplyIntegers(row, builder.index(shape.heads)), head))
        builder.store(builder.load(builder.float, from), builder.advance(target.moved(rows: head, in: builder).address, by: row))
        return []
      }
      return []
    }
  }

  /// Copies the tokens of a group and their codes, the last one repeated up to a whole vector.
  private func copyTables(from group: Address, count: Value) {
    let last = builder.subtractIntegers(count, builder.index(1))
    let lanes = builder.index(builder.lanes)
    let vectors = builder.divideIntegers(builder.addIntegers(count, builder.index(builder.lanes - 1)), lanes)
    builder.loop(from: builder.index(0), to: builder.multiplyIntegers(vectors, lanes)) { position, _ in
      let from = builder.advance(group, by: builder.minimumInteger(position, last))
      builder.store(builder.load(builder.int32, from), builder.advance(tokens, by: position))
      let code = builder.load(builder.int32, builder.advance(from, by: 2 * shape.tokenCount))
      builder.store(code, builder.advance(codes, by: position))
      return []
    }
  }

  private func index(at address: Address) -> Value { builder.index(fromInt32: builder.load(builder.int32, address)) }

  // MARK: Rows

  /// Where the channels of a head lie of token number `position` of the group.
  private func row(_ rows: TokenRows, _ position: Value, _ head: GroupHead) -> Address {
    let start = builder.advance(
      emitter.address(rows.argument, offset: rows.offset, unit: head.unit),
      by: builder.multiplyIntegers(head.index, builder.index(shape.headWidth)))
    let token = index(at: builder.advance(tokens, by: position))
    return builder.advance(start, by: builder.multiplyIntegers(token, builder.index(rows.rowStride)))
  }

  /// Copies the rows of the group's tokens, times `factor`, one after the other.
  func copy(_ source: TokenRows, _ head: GroupHead, to target: MatrixView, factor: Float = 1) {
    builder.loop(from: builder.index(0), to: head.count) { position, _ in
      emitter.copyRow(
        row(source, position, head), to: target.moved(rows: position, in: builder).address, width: shape.headWidth, factor: factor)
      return []
    }
  }

  /// Copies rows to where the group's tokens have theirs, times `factor`, and times a number of each row.
  func copy(_ source: MatrixView, to target: TokenRows, _ head: GroupHead, factor: Float = 1, factors: Address? = nil) {
    builder.loop(from: builder.index(0), to: head.count) { position, _ in
      emitter.copyRow(
        source.moved(rows: position, in: builder).address, to: row(target, position, head), width: shape.headWidth, factor: factor,
        rowFactor: factors.map { builder.load(builder.float, builder.advance($0, by: position)) })
      return []
    }
  }

  /// Copies the rows of the group's tokens so that tokens are columns, the last one repeated up to a whole vector.
  func copyTransposed(_ source: TokenRows, _ head: GroupHead, to target: MatrixView) {
    let lanes = builder.lanes
    builder.loop(from: builder.index(0), to: head.count, step: lanes) { first, _ in
      let rows = (0..<lanes).map { row(source, builder.addIntegers(first, builder.index($0)), head) }
      emitter.forEachSquareSide(of: shape.headWidth) { channel, channels in
        let lines = rows.map { builder.loadNumbers(builder.advance($0, by: channel), count: channels, lanes: lanes) }
        let to = builder.advance(target.moved(rows: channel, in: builder).address, by: first)
        emitter.storeTransposed(lines, to: to, rowStride: target.rowStride, rows: channels)
      }
      return []
    }
  }

  // MARK: Products

  /// The products of the group's rows with the columns of all its tokens.
  func productWithColumns(_ left: MatrixView, _ columns: MatrixView, to result: MatrixView, _ head: GroupHead) {
    MicrokernelProduct(tileRows: layout.tileRows, columns: layout.columns, accumulates: false)
      .emit(
        rows: head.count, columns: head.count, kBlock: builder.index(shape.headWidth), left: left, right: columns, result: result,
        in: builder)
  }

  /// Sums the rows of all tokens, weighted by scores.
  func productOverTokens(_ scores: MatrixView, _ rows: MatrixView, to result: MatrixView, _ head: GroupHead) {
    MicrokernelProduct(tileRows: layout.tileRows, columns: layout.width, accumulates: false)
      .emit(rows: head.count, kBlock: head.count, left: scores, right: rows, result: result, in: builder)
  }

  // MARK: Scores

  /// The rows of scores of a group, with the biases of one head.
  func scoreRows(_ head: GroupHead) -> GroupScoreRows {
    GroupScoreRows(
      builder: builder, count: head.count, codes: codes,
      biases: matrix(tables.biases).moved(rows: head.index, in: builder).address,
      middle: shape.biasCount / 2)
  }

  /// The code of token number `position` of the group.
  func code(_ position: Value) -> Value { builder.load(builder.int32, builder.advance(codes, by: position)) }
}
