/// A function that computes a tile of a product on the matrix unit, `void (left, right, result, blocks, row, (ahead, stride, advance)...)`:
/// its sums stay in registers. Rows of the result begin `row` elements apart.
///
/// While it works it asks the memory for what will be read later, from places `ahead` on: with each block for a few rows or columns,
/// `stride` elements apart, 32 elements of each, and with the next block `advance` elements on.
///
/// Numbers are multiplied part by part. Of the nine products of parts it takes the six that can be 2⁻¹⁷ of the numbers' product or more;
/// the others are 2⁻²⁵ each at most, as single precision rounds 2⁻²⁴ away. The unit adds to a sum only once in 32 terms, so that results are
/// closer than those of multiply-adds in turn. What is denormal counts as zero.
struct MatrixUnitTile: SharedFunction {
  /// Registers of sums, one below the other and side by side: 1 or 2.
  let height: Int
  let width: Int
  /// Whether the product is added to what the result holds.
  let accumulates: Bool
  /// The rows or columns that it asks for with each block, from each place.
  let requests: [Int]

  var name: String {
    requests.reduce("matrix_tile_\(height)x\(width)\(accumulates ? "_add" : "")_ask") { "\($0)_\($1)" }
  }

  func parameters(in builder: IRBuilder) -> [IRType] {
    [builder.floatPointer, builder.floatPointer, builder.floatPointer, builder.int64, builder.int64]
      + requests.flatMap { _ in [builder.floatPointer, builder.int64, builder.int64] }
  }

  /// The parts of the left and the right side that are multiplied in turn, each step with one of those before it.
  static let products = [(2, 0), (1, 0), (1, 1), (0, 1), (0, 2), (0, 0)]

  // Four registers of sums, two of rows of the left side and two of columns of the right one.
  static func sum(_ row: Int, _ column: Int) -> MatrixRegister { MatrixRegister(number: 2 * row + column) }
  static func left(_ row: Int) -> MatrixRegister { MatrixRegister(number: 4 + row) }
  static func right(_ column: Int) -> MatrixRegister { MatrixRegister(number: 6 + column) }

  func emit(_ function: Function, in builder: IRBuilder) {
    let sides = (0..<3).map { Address(base: function.parameter($0), index: builder.index(0)) }
    let resultRow = function.parameter(4)
    let sums = (0..<height).flatMap { row in (0..<width).map { (row, $0) } }
    func place(_ row: Int, _ column: Int) -> Address {
      let start = builder.multiplyIntegers(resultRow, builder.index(row * MatrixRegister.rows))
      return builder.advance(builder.advance(sides[2], by: start), by: column * MatrixRegister.columns)
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
        for (index, count) in requests.enumerated() {
          let parameters = (0..<3).map { function.parameter(5 + 3 * index + $0) }
          let start = builder.multiplyIntegers(block, parameters[2])
          let ahead = Address(base: parameters[0], index: start)
          for line in 0..<count where line % Self.products.count == step {
            let place = builder.advance(ahead, by: builder.multiplyIntegers(parameters[1], builder.index(line)))
            builder.prefetch(place, count: MatrixUnitTiling.tileExtent)
          }
        }
        for (row, column) in sums {
          builder.addProducts(Self.left(row), Self.right(column), to: Self.sum(row, column))
        }
      }
      return []
    }
    for (row, column) in sums { builder.store(Self.sum(row, column), to: place(row, column), stride: resultRow) }
  }

  /// Loads a part of a block's numbers.
  private func load(_ part: Int, of block: Address, to registers: [MatrixRegister], in builder: IRBuilder) {
    for (index, register) in registers.enumerated() {
      let place = builder.advance(block, by: part * MatrixUnitTiling.partElements + index * MatrixRegister.elements)
      builder.load(register, from: place, stride: builder.index(MatrixRegister.columns))
    }
  }
}
