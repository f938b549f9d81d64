/// A function that copies rows between the result and a tile that stands alone, `void (tile, result, first, count, rows)`: from row
/// `first` of the result on, `count` rows.
///
/// `rows` is the number of rows in a run where the result has several, `runStride` elements apart.
struct LoneTileCopier: SharedFunction {
  enum Direction: String {
    case fromResult = "from"
    case toResult = "to"
  }

  let direction: Direction
  let columns: Int
  let resultRow: Int
  /// Elements from one run of rows to the next, or nil where there is one run.
  let runStride: Int?

  var name: String { "matrix_\(direction.rawValue)_result_\(columns)_\(resultRow)" + (runStride.map { "_runs_\($0)" } ?? "") }

  func parameters(in builder: IRBuilder) -> [IRType] {
    [builder.floatPointer, builder.floatPointer, builder.int64, builder.int64, builder.int64]
  }

  func emit(_ function: Function, in builder: IRBuilder) {
    let zero = builder.index(0)
    let (tile, result) = (Address(base: function.parameter(0), index: zero), Address(base: function.parameter(1), index: zero))
    builder.loop(from: zero, to: function.parameter(3)) { index, _ in
      let ofTile = builder.advance(tile, by: builder.multiplyIntegers(index, builder.index(MatrixUnitTiling.tileExtent)))
      let ofResult = place(of: builder.addIntegers(function.parameter(2), index), in: result, function.parameter(4), builder)
      let lanes = builder.lanes
      for column in stride(from: 0, to: columns, by: lanes) {
        let count = min(lanes, columns - column)
        let places = [ofTile, ofResult].map { builder.advance($0, by: column) }
        let (from, to) = direction == .toResult ? (places[0], places[1]) : (places[1], places[0])
        builder.store(builder.load(builder.float, from, count: count, lanes: lanes), to, count: count, lanes: lanes)
      }
      return []
    }
  }

  private func place(of row: Value, in result: Address, _ rowsOfRun: Value, _ builder: IRBuilder) -> Address {
    func moved(_ place: Address, _ count: Value, _ stride: Int) -> Address {
      builder.advance(place, by: builder.multiplyIntegers(count, builder.index(stride)))
    }
    guard let runStride else { return moved(result, row, resultRow) }
    let run = builder.divideIntegers(row, rowsOfRun)
    return moved(moved(result, run, runStride), builder.remainder(row, rowsOfRun), resultRow)
  }
}
