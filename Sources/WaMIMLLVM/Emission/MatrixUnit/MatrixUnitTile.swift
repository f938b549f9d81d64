/// A function that computes a tile of a product on the matrix unit, `void (left, right, result, blocks, ahead...)`: its sums stay in
/// registers.
///
/// Numbers are multiplied part by part. Of the nine products of parts it takes the six that are 2⁻¹⁸ of the numbers' product or more;
/// the others are less than what single precision rounds away. Smaller products come first, and the unit rounds a sum only once in 32
/// terms, so that results are closer than those of multiply-adds. What is denormal counts as zero.
struct MatrixUnitTile: SharedFunction {
  /// What a tile asks for while it works, from a place `ahead` on: with each block a few rows or columns, 32 elements of each.
  struct Prefetch: Hashable {
    /// Rows or columns for each block.
    let count: Int
    /// Elements from one of them to the next.
    let stride: Int
    /// Elements from where those for one block begin to where those for the next one do.
    let advance: Int
  }

  /// Registers of sums, one below the other and side by side: 1 or 2.
  let height: Int
  let width: Int
  /// Elements from one row of the result to the next.
  let resultRow: Int
  /// Whether the product is added to what the result holds.
  let accumulates: Bool
  let prefetches: [Prefetch]

  var name: String {
    prefetches.reduce("matrix_tile_\(height)x\(width)_\(resultRow)\(accumulates ? "_add" : "")") {
      "\($0)_ask_\($1.count)_\($1.stride)_\($1.advance)"
    }
  }

  func parameters(in builder: IRBuilder) -> [IRType] {
    [builder.floatPointer, builder.floatPointer, builder.floatPointer, builder.int64] + prefetches.map { _ in builder.floatPointer }
  }

  /// The parts of the left and the right side that are multiplied in turn, each step with one of those before it.
  static let products = [(2, 0), (1, 0), (1, 1), (0, 1), (0, 2), (0, 0)]

  // Four registers of sums, two of rows of the left side and two of columns of the right one.
  static func sum(_ row: Int, _ column: Int) -> MatrixRegister { MatrixRegister(number: 2 * row + column) }
  static func left(_ row: Int) -> MatrixRegister { MatrixRegister(number: 4 + row) }
  static func right(_ column: Int) -> MatrixRegister { MatrixRegister(number: 6 + column) }

  func emit(_ function: Function, in builder: IRBuilder) {
    let sides = (0..<3).map { Address(base: function.parameter($0), index: builder.index(0)) }
    let sums = (0..<height).flatMap { row in (0..<width).map { (row, $0) } }
    func place(_ row: Int, _ column: Int) -> Address {
      builder.advance(sides[2], by: row * MatrixRegister.rows * resultRow + column * MatrixRegister.columns)
    }
    for (row, column) in sums {
      if accumulates {
        builder.load(Self.sum(row, column), from: place(row, column), stride: resultRow)
      } else {
        builder.clear(Self.sum(row, column))
      }
    }
    builder.loop(from: builder.index(0), to: function.parameter(3)) { block, _ in
      let start = builder.multiplyIntegers(block, builder.index(MatrixUnitTiling.blockElements))
      let (left, right) = (builder.advance(sides[0], by: start), builder.advance(sides[1], by: start))
      var loaded = (left: -1, right: -1)
      let next = builder.advance(left, by: MatrixUnitTiling.blockElements)
      for (step, (leftPart, rightPart)) in Self.products.enumerated() {
        if leftPart != loaded.left { load(leftPart, of: left, to: (0..<height).map(Self.left), in: builder) }
        if rightPart != loaded.right { load(rightPart, of: right, to: (0..<width).map(Self.right), in: builder) }
        loaded = (leftPart, rightPart)
        let share = MatrixUnitTiling.blockElements / Self.products.count
        builder.prefetch(builder.advance(next, by: step * share), count: share, toFirstCache: true)
        for (index, prefetch) in prefetches.enumerated() {
          let ahead = Address(base: function.parameter(4 + index), index: builder.index(0))
          ask(prefetch, step: step, of: block, from: ahead, in: builder)
        }
        for (row, column) in sums {
          builder.addProducts(Self.left(row), Self.right(column), to: Self.sum(row, column))
        }
      }
      return []
    }
    for (row, column) in sums { builder.store(Self.sum(row, column), to: place(row, column), stride: resultRow) }
  }

  /// Asks for a step's share of what a block asks for.
  private func ask(_ prefetch: Prefetch, step: Int, of block: Value, from ahead: Address, in builder: IRBuilder) {
    let start = builder.advance(ahead, by: builder.multiplyIntegers(block, builder.index(prefetch.advance)))
    for index in 0..<prefetch.count where index % Self.products.count == step {
      builder.prefetch(builder.advance(start, by: index * prefetch.stride), count: MatrixUnitTiling.tileExtent)
    }
  }

  /// Loads a part of a block's numbers.
  private func load(_ part: Int, of block: Address, to registers: [MatrixRegister], in builder: IRBuilder) {
    for (index, register) in registers.enumerated() {
      let place = builder.advance(block, by: part * MatrixUnitTiling.partElements + index * MatrixRegister.elements)
      builder.load(register, from: place, stride: MatrixRegister.columns)
    }
  }
}
