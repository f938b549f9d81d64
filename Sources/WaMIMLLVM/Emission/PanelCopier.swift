import WaMIMGraph

/// A function that copies a piece of a product's side, `void (source, target, kBlock)` or, of a left side, `void (source, target, rows)`.
///
/// What is copied is float32, or bf16 that becomes float32, or pairs: those that lie side by side are moved as words, others put together.
struct PanelCopier: SharedFunction {
  /// What is copied: which side of a product, and how its elements lie.
  enum Piece {
    /// The right side's rows, whose elements lie together: `columns` of each.
    case rows(columns: Int)
    /// As many of the right side's columns, whose elements lie together.
    case columns(Int)
    /// The left side's columns, whose elements lie together, to `kBlock`: as tiles.
    case tiles(kBlock: Int)
    /// The left side's rows, whose elements lie together, to `kBlock`, `stride` elements apart in the copy.
    case leftRows(kBlock: Int, stride: Int)
  }

  let piece: Piece
  /// Elements from one row or column of the source to the next; in pairs, from one pair to the next.
  let stride: Int
  let tiling: MatmulTiling
  let form: PanelForm
  /// Whether the last step is half of a pair.
  var endsWithHalf = false

  var name: String {
    let kind =
      switch piece {
      case .rows(let columns): "pack_rows_\(columns)_\(stride)"
      case .columns(let columns): "pack_columns_\(columns)_\(stride)"
      case .tiles(let kBlock): "pack_tiles_\(kBlock)_\(stride)"
      case .leftRows(let kBlock, let apart): "pack_left_rows_\(kBlock)_\(stride)_\(apart)"
      }
    let suffix =
      switch form {
      case .float32: ""
      case .widened: "_widened"
      case .pairs: endsWithHalf ? "_pairs_half" : "_pairs"
      }
    return kind + suffix
  }

  func parameters(in builder: IRBuilder) -> [IRType] { [builder.floatPointer, builder.floatPointer, builder.int64] }

  func emit(_ function: Function, in builder: IRBuilder) {
    let start = builder.index(0)
    let source = Address(base: function.parameter(0), index: start, element: sourceElement)
    let copy = PanelCopy(copier: self, builder: builder, source: source, target: Address(base: function.parameter(1), index: start))
    let count = function.parameter(2)
    switch piece {
    case .rows(let columns): copy.rows(columns: columns, kBlock: count)
    case .columns(let columns): copy.transpose(columns: columns, kBlock: count)
    case .tiles(let kBlock): copy.tiles(kBlock: kBlock, rows: count)
    case .leftRows(let kBlock, let apart): copy.leftRows(kBlock: kBlock, apart: apart, rows: count)
    }
  }

  /// What the source is of; pairs that lie side by side are words, which are moved as they are.
  private var sourceElement: ElementType {
    switch (form, piece) {
    case (.float32, _), (.pairs, .columns), (.pairs, .leftRows): .float32
    case (.widened, _), (.pairs, .rows), (.pairs, .tiles): .bfloat16
    }
  }
}

/// The body of a copier.
private struct PanelCopy {
  let copier: PanelCopier
  let builder: IRBuilder
  let source, target: Address

  private var lanes: Int { copier.tiling.lanes }
  private var stride: Int { copier.stride }
  private var tileRows: Int { copier.tiling.tileRows }

  /// Reads `count` elements that lie together, of one step, as they are copied.
  ///
  /// - Parameter isHalf: Whether the step has only the first of two elements.
  private func load(_ address: Address, count: Int, lanes: Int, isHalf: Bool = false) -> Value {
    guard copier.form == .pairs, address.element == .bfloat16 else {
      return builder.loadNumbers(address, count: count, lanes: lanes)
    }
    let first = builder.load(builder.int16, address, count: count, lanes: lanes)
    // A step passes over two rows or columns.
    let second = isHalf ? nil : builder.load(builder.int16, builder.advance(address, by: stride / 2), count: count, lanes: lanes)
    return builder.paired(first, second, lanes: lanes)
  }

  /// Runs `body` for each step of `kBlock`, the last one maybe half.
  private func forEachStep(of kBlock: Value, _ body: (_ step: Value, _ isHalf: Bool) -> Void) {
    let whole = copier.endsWithHalf ? builder.subtractIntegers(kBlock, builder.index(1)) : kBlock
    builder.loop(from: builder.index(0), to: whole) { step, _ in
      body(step, false)
      return []
    }
    if copier.endsWithHalf { body(whole, true) }
  }

  // MARK: The right side

  func rows(columns: Int, kBlock: Value) {
    let vectors = wholeVectors(columns)
    forEachStep(of: kBlock) { row, isHalf in
      let from = builder.advance(source, by: builder.multiplyIntegers(row, builder.index(stride)))
      let to = builder.advance(target, by: builder.multiplyIntegers(row, builder.index(vectors * lanes)))
      for column in Swift.stride(from: 0, to: columns, by: lanes) {
        let value = load(builder.advance(from, by: column), count: min(lanes, columns - column), lanes: lanes, isHalf: isHalf)
        builder.store(value, builder.advance(to, by: column))
      }
    }
  }

  func transpose(columns: Int, kBlock: Value) {
    let width = wholeVectors(columns) * lanes
    for column in Swift.stride(from: 0, to: columns, by: lanes) {
      let count = min(lanes, columns - column)
      let (source, target) = (builder.advance(source, by: column * stride), builder.advance(target, by: column))
      let squares = builder.subtractIntegers(kBlock, builder.index(lanes - 1))
      let done = builder.loop(from: builder.index(0), to: squares, step: lanes, carrying: [builder.index(0)]) { row, _ in
        let from = builder.advance(source, by: row)
        let zero = builder.constant(0, lanes: lanes)
        let lines = (0..<lanes).map { line in
          line < count ? builder.loadNumbers(builder.advance(from, by: line * stride), lanes: lanes) : zero
        }
        let to = builder.advance(target, by: builder.multiplyIntegers(row, builder.index(width)))
        for (line, value) in builder.transposed(lines).enumerated() {
          builder.store(value, builder.advance(to, by: line * width))
        }
        return [builder.addIntegers(row, builder.index(lanes))]
      }
      builder.loop(from: done[0], to: kBlock) { row, _ in
        let from = builder.advance(source, by: row)
        let elements = (0..<count).map { builder.loadNumbers(builder.advance(from, by: $0 * stride)) }
        let value = elements.enumerated().reduce(builder.constant(0, lanes: lanes)) {
          builder.insert($1.element, into: $0, lane: $1.offset)
        }
        builder.store(value, builder.advance(target, by: builder.multiplyIntegers(row, builder.index(width))))
        return []
      }
    }
  }

  private func wholeVectors(_ columns: Int) -> Int { (columns + lanes - 1) / lanes }

  // MARK: The left side

  func leftRows(kBlock: Int, apart: Int, rows: Value) {
    builder.loop(from: builder.index(0), to: rows) { row, _ in
      let from = builder.advance(source, by: builder.multiplyIntegers(row, builder.index(stride)))
      let to = builder.advance(target, by: builder.multiplyIntegers(row, builder.index(apart)))
      builder.loop(count: kBlock / lanes, step: lanes) { column, _ in
        builder.store(builder.loadNumbers(builder.advance(from, by: column), lanes: lanes), builder.advance(to, by: column))
        return []
      }
      let rest = kBlock % lanes
      guard rest > 0 else { return [] }
      let value = builder.loadNumbers(builder.advance(from, by: kBlock - rest), count: rest, lanes: lanes)
      builder.store(value, builder.advance(to, by: kBlock - rest), count: rest, lanes: lanes)
      return []
    }
  }

  func tiles(kBlock: Int, rows: Value) {
    let height = builder.index(tileRows)
    let tileStride = builder.index(copier.tiling.tileStride(kBlock: kBlock))
    let tiles = builder.divideIntegers(rows, height)
    let full = builder.multiplyIntegers(tiles, height)
    let rest = builder.advance(target, by: builder.multiplyIntegers(tiles, tileStride))
    forEachStep(of: builder.index(kBlock)) { column, isHalf in
      let from = builder.advance(source, by: builder.multiplyIntegers(column, builder.index(stride)))
      let within = builder.multiplyIntegers(column, height)
      builder.loop(from: builder.index(0), to: tiles) { tile, _ in
        let from = builder.advance(from, by: builder.multiplyIntegers(tile, height))
        let start = builder.multiplyIntegers(tile, tileStride)
        copyTile(from, to: builder.advance(builder.advance(target, by: start), by: within), isHalf: isHalf)
        return []
      }
      builder.loop(from: full, to: rows) { row, _ in
        let address = builder.addIntegers(within, builder.subtractIntegers(row, full))
        builder.store(load(builder.advance(from, by: row), count: 1, lanes: 1, isHalf: isHalf), builder.advance(rest, by: address))
        return []
      }
    }
  }

  /// Copies the rows of one tile in one column.
  private func copyTile(_ source: Address, to target: Address, isHalf: Bool) {
    var row = 0
    while row < tileRows {
      let lanes = 1 << (Int.bitWidth - 1 - min(tileRows - row, self.lanes).leadingZeroBitCount)
      builder.store(
        load(builder.advance(source, by: row), count: lanes, lanes: lanes, isHalf: isHalf), builder.advance(target, by: row))
      row += lanes
    }
  }
}
