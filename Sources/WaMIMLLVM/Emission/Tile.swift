import WaMIMCompiler

/// A function that computes one tile of a product, `void (left, right, result, depth, ahead)`: its sums stay in registers.
///
/// It has time to ask the memory for what will be copied next.
struct Tile {
  /// Which elements a tile asks for, the first of them `ahead`.
  enum Prefetch: Hashable {
    case nothing
    /// As many as the tile is deep, one after the other.
    case run
    /// Some of each row of a panel, for a part of its rows: one row for each `depthPerRow` of the tile's depth.
    case rows(stride: Int)

    static let depthPerRow = 32
    /// Elements of a row that are asked for, in lines of the cache.
    static let lineElements = 16
    static let linesPerRow = 4
  }

  let rows: Int
  /// Columns of the result; those of the right side are rounded up to whole vectors.
  let columns: Int
  /// The elements from one row of the left side to the next, and from one column to the next.
  let leftRow: Int
  let leftColumn: Int
  let rightRow: Int
  let resultRow: Int
  /// Whether the product is added to what the result holds.
  let accumulates: Bool
  var prefetch = Prefetch.nothing

  private var name: String {
    let suffix =
      switch prefetch {
      case .nothing: ""
      case .run: "_run"
      case .rows(let stride): "_rows_\(stride)"
      }
    return "tile_\(rows)x\(columns)_\(leftRow)_\(leftColumn)_\(rightRow)_\(resultRow)\(accumulates ? "_add" : "")\(suffix)"
  }

  /// The function, defined the first time that a module asks for it.
  func define(in builder: IRBuilder) -> Function {
    let pointer = builder.floatPointer
    let parameters = [pointer, pointer, pointer, builder.int64, pointer]
    if builder.isDefined(name) { return builder.declare(name, parameters, returning: builder.void) }
    return builder.define(name, parameters, returning: builder.void, attributes: ["noinline"]) { function in
      emit(function, in: builder)
      builder.returnNothing()
    }
  }

  private func emit(_ function: Function, in builder: IRBuilder) {
    let start = builder.index(0)
    let (left, right, result) = (
      Address(base: function.parameter(0), index: start), Address(base: function.parameter(1), index: start),
      Address(base: function.parameter(2), index: start)
    )
    let lanes = builder.lanes
    let vectors = (columns + lanes - 1) / lanes
    let places = (0..<rows).flatMap { row in
      (0..<vectors).map { (element: row * resultRow + $0 * lanes, count: min(lanes, columns - $0 * lanes)) }
    }
    let initial = places.map { place in
      accumulates
        ? builder.load(builder.float, builder.advance(result, by: place.element), count: place.count, lanes: lanes)
        : builder.constant(0, lanes: lanes)
    }
    let sums = builder.loop(from: start, to: function.parameter(3), carrying: initial) { k, sums in
      emitPrefetch(at: k, from: Address(base: function.parameter(4), index: start), in: builder)
      return step(at: k, vectors: vectors, sums: sums, left: left, right: right, in: builder)
    }
    for (place, sum) in zip(places, sums) {
      builder.store(sum, builder.advance(result, by: place.element), count: place.count, lanes: lanes)
    }
  }

  private func emitPrefetch(at k: Value, from ahead: Address, in builder: IRBuilder) {
    switch prefetch {
    case .nothing: break
    case .run: builder.prefetch(builder.advance(ahead, by: k))
    case .rows(let stride):
      let row = builder.divideIntegers(k, builder.index(Prefetch.depthPerRow))
      let line = builder.divideIntegers(
        builder.subtractIntegers(k, builder.multiplyIntegers(row, builder.index(Prefetch.depthPerRow))),
        builder.index(Prefetch.depthPerRow / Prefetch.linesPerRow))
      let place = builder.advance(ahead, by: builder.multiplyIntegers(row, builder.index(stride)))
      builder.prefetch(builder.advance(place, by: builder.multiplyIntegers(line, builder.index(Prefetch.lineElements))))
    }
  }

  /// Adds the products of one column of the left tile and one row of the right panel.
  private func step(
    at k: Value, vectors: Int, sums: [Value], left: Address, right: Address, in builder: IRBuilder
  ) -> [Value] {
    let lanes = builder.lanes
    let rightRow = builder.advance(right, by: builder.multiplyIntegers(k, builder.index(self.rightRow)))
    let factors = (0..<vectors).map { builder.load(builder.float, builder.advance(rightRow, by: $0 * lanes), lanes: lanes) }
    let leftColumn = builder.advance(left, by: builder.multiplyIntegers(k, builder.index(self.leftColumn)))
    return (0..<rows).flatMap { row in
      let element = builder.load(builder.float, builder.advance(leftColumn, by: row * leftRow))
      let factor = builder.splat(element, lanes: lanes)
      return (0..<vectors).map { builder.multiplyAdd(factor, factors[$0], sums[row * vectors + $0]) }
    }
  }
}
