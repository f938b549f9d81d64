import CLLVM
import WaMIMCompiler
import WaMIMGraph

/// Loops over a row of scores, one for each token of a group, whose number is known only then.
///
/// Lanes behind the last token hold what counts for nothing.
struct GroupScoreRows: ScoreLoops {
  let builder: IRBuilder
  var scale: Float { 1 }
  /// The tokens of the group.
  let count: Value
  /// The tokens' codes, and the biases of one head.
  let codes: Address
  let biases: Address
  /// The row of the table of biases for two tokens with one code.
  let middle: Int

  func across(_ functions: [ReductionFunction], _ body: (_ column: Value) -> [Value]) -> [Value] {
    let initial = functions.map { builder.neutral($0, lanes: lanes) }
    let sums = builder.loop(from: builder.index(0), to: count, step: lanes, carrying: initial) { column, sums in
      zip(functions, zip(sums, body(column))).map { builder.combine($0, $1.0, $1.1) }
    }
    return zip(functions, sums).map { builder.reduce($0, $1, lanes: lanes) }
  }

  /// The rows of the table of biases for the query of `code` and the keys from `column` on.
  private func tableRows(_ code: Value, _ column: Value) -> Value {
    let own = builder.splat(builder.addIntegers(code, builder.integer(Int32(middle))), lanes: lanes)
    return builder.subtractIntegers(own, builder.load(builder.int32, builder.advance(codes, by: column), lanes: lanes))
  }

  /// Adds biases to the scores of the query of `code`; those behind the last token become minus infinity.
  ///
  /// - Returns: The largest score.
  private func addBiases(_ scores: Address, code: Value) -> Value {
    let largest = across([.maximum]) { column in
      let bias = builder.gather(biases, tableRows(code, column), lanes: lanes)
      let exists = builder.lanes(below: builder.subtractIntegers(count, column), lanes: lanes)
      let score = builder.select(exists, builder.add(load(scores, column), bias), builder.constant(-.infinity, lanes: lanes))
      builder.store(score, builder.advance(scores, by: column))
      return [score]
    }
    return largest[0]
  }

  /// Replaces the scores of the query of `code` by the exponentials of their sums with biases, relative to the largest.
  ///
  /// - Returns: 1 / the sum of the exponentials.
  func exponentials(_ scores: Address, code: Value) -> Value {
    exponentials(scores, largest: addBiases(scores, code: code))
  }

  /// Replaces the scores of the query of `code` by probabilities, and the gradients of those by the gradients of the scores.
  func softmaxGradient(_ scores: Address, _ gradients: Address, code: Value) {
    softmaxGradient(scores, gradients, largest: addBiases(scores, code: code))
  }

  /// Adds the gradients of the scores of the query of `code` to those of the biases, of which one head's lie `stride` elements apart.
  func addBiasGradients(_ gradients: Address, code: Value, to table: Address, stride: Int) {
    let own = builder.addIntegers(builder.index(fromInt32: code), builder.index(middle))
    builder.loop(from: builder.index(0), to: count) { key, _ in
      let other = builder.index(fromInt32: builder.load(builder.int32, builder.advance(codes, by: key)))
      let element = builder.multiplyIntegers(builder.subtractIntegers(own, other), builder.index(stride))
      let entry = builder.advance(table, by: element)
      let gradient = builder.load(builder.float, builder.advance(gradients, by: key))
      builder.store(builder.add(builder.load(builder.float, entry), gradient), entry)
      return []
    }
  }
}
