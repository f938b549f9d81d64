/// A function that copies rows between the result and a tile that stands alone, `void (tile, result, first, count,
/// row, rows, runStride)`: from row `first` of the result on, `count` rows, `row` elements apart.
///
/// Where the result has several runs of rows, `rows` is the number of rows in each, and they begin `runStride` elements apart.
struct LoneTileCopier: SharedFunction {
  enum Direction: String {
    case fromResult = "from"
    case toResult = "to"
  }

  let direction: Direction
  let columns: Int
  let hasRuns: Bool

  var name: String { "amx_\(direction.rawValue)_result_\(columns)" + (hasRuns ? "_of_runs" : "") }

  func parameters(in builder: IRBuilder) -> [IRType] {
    [builder.floatPointer, builder.floatPointer] + Array(repeating: builder.int64, count: 5)
  }

  func emit(_ function: Function, in builder: IRBuilder) {
    let zero = builder.index(0)
    let (tile, result) = (Address(base: function.parameter(0), index: zero), Address(base: function.parameter(1), index: zero))
    builder.loop(from: zero, to: function.parameter(3)) { index, _ in
      let ofTile = builder.advance(tile, by: builder.multiplyIntegers(index, builder.index(AMXTiling.tileExtent)))
      let ofResult = address(of: builder.addIntegers(function.parameter(2), index), in: result, function, builder)
      let lanes = builder.lanes
      for column in stride(from: 0, to: columns, by: lanes) {
        let count = min(lanes, columns - column)
        let addresses = [ofTile, ofResult].map { builder.advance($0, by: column) }
        let (from, to) = direction == .toResult ? (addresses[0], addresses[1]) : (addresses[1], addresses[0])
        builder.store(builder.load(builder.float, from, count: count, lanes: lanes), to, count: count, lanes: lanes)
      }
      return []
    }
  }

  private func address(of row: Value, in result: Address, _ function: Function, _ builder: IRBuilder) -> Address {
    let (resultRow, rowsOfRun, runStride) = (function.parameter(4), function.parameter(5), function.parameter(6))
    guard hasRuns else { return builder.advance(result, by: builder.multiplyIntegers(row, resultRow)) }
    let run = builder.multiplyIntegers(builder.divideIntegers(row, rowsOfRun), runStride)
    let within = builder.multiplyIntegers(builder.remainder(row, rowsOfRun), resultRow)
    return builder.advance(builder.advance(result, by: run), by: within)
  }
}
