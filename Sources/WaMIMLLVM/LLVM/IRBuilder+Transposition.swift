extension IRBuilder {
  /// The columns of a square of as many vectors as they have lanes, by shuffles within registers.
  ///
  /// Squares of four by four lanes first, since shuffles within 128 bits are the cheapest; then those squares change places.
  func transposed(_ rows: [Value]) -> [Value] {
    let squares = stride(from: 0, to: rows.count, by: 4).map { transposedWithinSquares(Array(rows[$0..<$0 + 4])) }
    var columns = rows
    for column in 0..<4 {
      let transposed = transposedSquares(squares.map { $0[column] }, lanes: rows.count)
      for (square, vector) in transposed.enumerated() { columns[4 * square + column] = vector }
    }
    return columns
  }

  /// Of four vectors, lane `c` of each run of four lanes, in vector `c`.
  private func transposedWithinSquares(_ rows: [Value]) -> [Value] {
    func interleaved(_ first: Value, _ second: Value, _ order: [Int]) -> Value {
      let picks = (0..<lanes).map { lane -> Int in
        // Picks of 4 and above are of the second vector.
        let pick = order[lane % 4]
        return lane / 4 * 4 + pick % 4 + (pick < 4 ? 0 : lanes)
      }
      return shuffle(first, second, picks)
    }
    let (low, high) = ([0, 4, 1, 5], [2, 6, 3, 7])
    let (firstLow, firstHigh) = (interleaved(rows[0], rows[1], low), interleaved(rows[0], rows[1], high))
    let (secondLow, secondHigh) = (interleaved(rows[2], rows[3], low), interleaved(rows[2], rows[3], high))
    let (front, back) = ([0, 1, 4, 5], [2, 3, 6, 7])
    return [
      interleaved(firstLow, secondLow, front), interleaved(firstLow, secondLow, back),
      interleaved(firstHigh, secondHigh, front), interleaved(firstHigh, secondHigh, back),
    ]
  }

  /// Of as many vectors as each has runs of four lanes, run `i` of each, in vector `i`.
  private func transposedSquares(_ rows: [Value], lanes: Int) -> [Value] {
    guard rows.count > 1 else { return rows }
    let (evens, odds) = (everyOtherSquare(rows, from: 0, lanes: lanes), everyOtherSquare(rows, from: 1, lanes: lanes))
    let halves = (transposedSquares(evens, lanes: lanes), transposedSquares(odds, lanes: lanes))
    return zip(halves.0, halves.1).flatMap { [$0, $1] }
  }

  /// Every second run of four lanes of each pair of vectors.
  private func everyOtherSquare(_ rows: [Value], from first: Int, lanes: Int) -> [Value] {
    let runs = stride(from: first, to: 2 * lanes / 4, by: 2)
    let picks = runs.flatMap { run in (0..<4).map { 4 * run + $0 } }
    return stride(from: 0, to: rows.count, by: 2).map { shuffle(rows[$0], rows[$0 + 1], picks) }
  }
}
