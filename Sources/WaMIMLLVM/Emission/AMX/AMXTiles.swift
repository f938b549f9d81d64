import WaMIMGraph

/// A function that computes tiles of a product on AMX, one below the other,
/// `void (left, right, result, blocks, row, tiles, ...)`: the sums of each stay in registers. Rows of the result begin `row` elements apart.
///
/// float32 numbers are multiplied split by split. Of the nine products of splits it takes the six that can be 2⁻¹⁷ of the numbers'
/// product or more; the others are 2⁻²⁵ each at most, as float32 rounds 2⁻²⁴ away. AMX adds to a sum only once in 32 terms, so that results are
/// closer than those of multiply-adds in turn. What is denormal counts as zero.
///
/// AMX leaves the rest of the core idle, so that tiles also prepare what comes later: they ask the memory for lines, and copy.
struct AMXTiles: SharedFunction {
  let tiling: AMXTiling
  /// Registers of sums, one below the other and side by side: 1 or 2.
  let height: Int
  let width: Int
  /// Whether the product is added to what the result holds.
  let accumulates: Bool
  /// Rows of the result of the tile below that are asked for with each block; 0 where nothing is.
  var rowsBelow = 0
  /// What the tiles do for panels after this one.
  var later: LaterPanels?

  /// What a tile does for later panels of the right side, with each block for a share of 32 lines.
  struct LaterPanels {
    /// Lines of each block, a power of two up to a register's rows.
    let share: Int
    /// Whether it asks for terms of the tile's block in several columns, or for whole rows of terms.
    let asksByColumn: Bool
    /// Whether it copies that much of the panel after this one, beside asking for the one after that.
    let copiesNext: Bool
  }

  var name: String {
    var name = "amx_tiles_\(height)x\(width)" + tiling.suffix + (accumulates ? "_add" : "")
    if rowsBelow > 0 { name += "_below_\(rowsBelow)" }
    if let later { name += "_later_\(later.share)" + (later.asksByColumn ? "_columns" : "") + (later.copiesNext ? "_copy" : "") }
    return name
  }

  /// Where there are later panels, `(ahead, stride)` follow: what is asked for begins at `ahead`, `stride` elements from one row or column to
  /// the next. Where tiles copy, then `(source, sourceRow, target)`: the next panel's rows begin at `source`, `sourceRow` elements apart, and
  /// its copy at `target`.
  func parameters(in builder: IRBuilder) -> [IRType] {
    let (pointer, integer) = (builder.floatPointer, builder.int64)
    return [pointer, pointer, pointer, integer, integer, integer]
      + (later == nil ? [] : [pointer, integer])
      + (later?.copiesNext == true ? [pointer, integer, pointer] : [])
  }

  // Four registers of sums, two of rows of the left side and two of columns of the right one.
  static func sum(_ row: Int, _ column: Int) -> AMXRegister { AMXRegister(number: 2 * row + column) }
  static func left(_ row: Int) -> AMXRegister { AMXRegister(number: 4 + row) }
  static func right(_ column: Int) -> AMXRegister { AMXRegister(number: 6 + column) }

  func emit(_ function: Function, in builder: IRBuilder) {
    builder.loop(from: builder.index(0), to: function.parameter(5)) { tile, _ in
      AMXTile(tiles: self, function: function, number: tile, builder: builder).emit()
      return []
    }
  }
}

/// One of the tiles.
private struct AMXTile {
  let tiles: AMXTiles
  let function: Function
  let number: Value
  let builder: IRBuilder

  /// Instructions that follow each of AMX's before the next one.
  ///
  /// They cost nothing as a rule: a product keeps AMX busy for 16 cycles. But where a core's other thread works as well, products
  /// and loads that come close upon each other wait for more than AMX: a tile's product takes 63 cycles then on a Xeon of 2023, and
  /// 42 with eight instructions after each; more do not help, and four help little.
  private static let distance = 8

  private var extent: Int { AMXTiling.tileExtent }
  private var resultRow: Value { function.parameter(4) }

  private func product(_ value: Value, _ factor: Int) -> Value { builder.multiplyIntegers(value, builder.index(factor)) }

  private var tiling: AMXTiling { tiles.tiling }

  private func parameter(_ number: Int, from index: Value, of element: ElementType = .float32) -> Address {
    Address(base: function.parameter(number), index: index, element: element)
  }

  func emit() {
    let blocks = function.parameter(3)
    let left = parameter(0, from: builder.multiplyIntegers(number, product(blocks, tiling.blockElements)))
    let right = parameter(1, from: builder.index(0))
    let result = parameter(2, from: builder.multiplyIntegers(number, product(resultRow, extent)))
    let sums = (0..<tiles.height).flatMap { row in
      (0..<tiles.width).map { column in
        let rows = product(resultRow, row * AMXRegister.rows)
        let address = builder.advance(builder.advance(result, by: rows), by: column * AMXRegister.columns)
        return (register: AMXTiles.sum(row, column), address: address)
      }
    }
    for sum in sums {
      if tiles.accumulates {
        builder.load(sum.register, from: sum.address, stride: resultRow)
      } else {
        builder.clear(sum.register)
      }
    }
    builder.loop(from: builder.index(0), to: blocks) { block, _ in
      let start = product(block, tiling.blockElements)
      let below = builder.advance(result, by: product(resultRow, extent))
      emitBlock(block, left: builder.advance(left, by: start), right: builder.advance(right, by: start), below: below)
      return []
    }
    for sum in sums { builder.store(sum.register, to: sum.address, stride: resultRow) }
  }

  // MARK: Blocks

  /// What AMX does for a block.
  private enum Step {
    /// Loads a split of the rows or columns that a register has of the block.
    case loadLeft(split: Int, row: Int)
    case loadRight(split: Int, column: Int)
    case addProducts(row: Int, column: Int)
  }

  /// All steps of a block: each split is loaded when it is first multiplied, and stays while those that follow need it.
  private var steps: [Step] {
    var steps: [Step] = []
    var loaded = (left: -1, right: -1)
    for (left, right) in tiling.products {
      if left != loaded.left { steps += (0..<tiles.height).map { .loadLeft(split: left, row: $0) } }
      if right != loaded.right { steps += (0..<tiles.width).map { .loadRight(split: right, column: $0) } }
      loaded = (left, right)
      steps += (0..<tiles.height).flatMap { row in (0..<tiles.width).map { .addProducts(row: row, column: $0) } }
    }
    return steps
  }

  /// All steps, with all that prepares what comes later in between, evenly.
  private func emitBlock(_ block: Value, left: Address, right: Address, below: Address) {
    let steps = self.steps
    let lines = linesOfNextBlock(after: left).mixed(with: linesBelow(below, block: block) + linesOfLaterPanel(block: block))
    let pairs = tiles.later.map { $0.copiesNext ? $0.share : 0 } ?? 0
    for (number, step) in steps.enumerated() {
      emit(step, left: left, right: right)
      func due(_ count: Int) -> Range<Int> { (count * number / steps.count)..<(count * (number + 1) / steps.count) }
      for line in lines[due(lines.count)] { builder.prefetch(line.address, toL1: line.isNear) }
      for pair in due(pairs) { copyPair(pair, of: block) }
      if due(pairs).isEmpty { builder.doNothing(times: Self.distance - due(lines.count).count) }
    }
  }

  private func emit(_ step: Step, left: Address, right: Address) {
    func load(_ register: AMXRegister, _ index: Int, split: Int, of block: Address) {
      let address = builder.advance(block, by: split * AMXTiling.splitElements + index * AMXRegister.elements)
      builder.load(register, from: address, stride: builder.index(AMXRegister.columns))
    }
    switch step {
    case .loadLeft(let split, let row): load(AMXTiles.left(row), row, split: split, of: left)
    case .loadRight(let split, let column): load(AMXTiles.right(column), column, split: split, of: right)
    case .addProducts(let row, let column):
      builder.addProducts(AMXTiles.left(row), AMXTiles.right(column), to: AMXTiles.sum(row, column))
    }
  }

  // MARK: What comes later

  /// A line of the cache to ask for, and whether it is needed at once.
  private typealias Line = (address: Address, isNear: Bool)

  private func linesOfNextBlock(after left: Address) -> [Line] {
    let (block, line) = (tiling.blockElements, IRBuilder.lineBytes / MemoryLayout<Float>.size)
    return (0..<(block / line)).map { (address: builder.advance(left, by: block + $0 * line), isNear: true) }
  }

  private func linesBelow(_ result: Address, block: Value) -> [Line] {
    let start = builder.advance(result, by: builder.multiplyIntegers(block, product(resultRow, tiles.rowsBelow)))
    return lines(from: start, count: tiles.rowsBelow, stride: resultRow)
  }

  /// A tile's share of a later panel: for each block a few rows, or in each block as much of a few columns.
  private func linesOfLaterPanel(block: Value) -> [Line] {
    guard let later = tiles.later else { return [] }
    let stride = function.parameter(7)
    let (ofTile, ofBlock): (Value, Value)
    if later.asksByColumn {
      ofTile = product(builder.multiplyIntegers(number, stride), later.share)
      ofBlock = product(block, AMXTiling.blockTerms)
    } else {
      let shares = builder.multiplyIntegers(number, function.parameter(3))
      ofTile = product(builder.multiplyIntegers(shares, stride), later.share)
      ofBlock = product(builder.multiplyIntegers(block, stride), later.share)
    }
    let start = parameter(6, from: builder.addIntegers(ofTile, ofBlock), of: tiling.factor)
    return lines(from: start, count: later.share, stride: stride)
  }

  /// The lines of rows or columns, 32 elements of each.
  private func lines(from start: Address, count: Int, stride: Value) -> [Line] {
    (0..<count).flatMap { number in
      let row = builder.advance(start, by: product(stride, number))
      return Swift.stride(from: 0, to: extent, by: IRBuilder.lineBytes / start.element.byteCount).map {
        (address: builder.advance(row, by: $0), isNear: false)
      }
    }
  }

  /// Copies a pair of vectors as splits: of each block a tile takes the same rows of one register.
  private func copyPair(_ pair: Int, of block: Value) {
    guard let later = tiles.later else { return }
    let (rows, stride) = (builder.index(AMXRegister.rows), function.parameter(9))
    let first = product(number, later.share)
    let (register, row) = (builder.divideIntegers(first, rows), builder.remainder(first, rows))
    let term = builder.addIntegers(builder.addIntegers(row, builder.index(pair)), product(block, AMXTiling.blockTerms))
    let source = builder.advance(
      parameter(8, from: builder.multiplyIntegers(term, stride), of: tiling.factor), by: product(register, AMXRegister.columns))
    let vectors = [source, builder.advance(source, by: product(stride, AMXRegister.rows))].map {
      builder.loadFactors($0)
    }
    let target = builder.advance(
      parameter(10, from: product(block, tiling.blockElements)), by: product(first, AMXRegister.columns))
    builder.storeSplits(vectors[0], vectors[1], tiling, to: builder.advance(target, by: pair * AMXRegister.columns))
  }
}

extension Array {
  /// The elements of both, those of the other one at even distances.
  fileprivate func mixed(with other: [Element]) -> [Element] {
    enumerated().flatMap { index, element in
      [element] + other[(other.count * index / count)..<(other.count * (index + 1) / count)]
    }
  }
}
