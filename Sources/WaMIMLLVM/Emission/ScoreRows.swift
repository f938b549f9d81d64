import WaMIMCompiler
import WaMIMGraph

/// Loops over a row of scores, one for each key; lanes beyond the last key count for nothing.
struct ScoreRows: ScoreLoops {
  let builder: IRBuilder
  let keyCount: Int
  /// The factor that scores lack.
  let scale: Float

  /// Runs `body` for each vector of a row, which begins at `column`, and combines what it returns by `functions`.
  ///
  /// Vectors alternate between two sets of carried values, so that neighbours do not wait for each other.
  func across(_ functions: [ReductionFunction], _ body: (_ column: Value) -> [Value]) -> [Value] {
    let vectors = keyCount / lanes
    func combined(_ sums: some Sequence<Value>, with elements: [Value]) -> [Value] {
      zip(functions, zip(sums, elements)).map { builder.combine($0, $1.0, $1.1) }
    }
    var sums = (functions + functions).map { builder.neutral($0, lanes: lanes) }
    let half = functions.count
    sums = builder.loop(count: vectors / 2, step: 2 * lanes, carrying: sums) { column, sums in
      let first = body(column)
      let second = body(builder.addIntegers(column, builder.index(lanes)))
      return combined(sums[..<half], with: first) + combined(sums[half...], with: second)
    }
    if vectors % 2 == 1 {
      let elements = body(builder.index((vectors - 1) * lanes))
      sums = combined(sums[..<half], with: elements) + sums[half...]
    }
    let tail = keyCount % lanes
    if tail > 0 {
      let elements = zip(functions, body(builder.index(vectors * lanes))).map {
        builder.padded($1, count: tail, for: $0, lanes: lanes)
      }
      sums = Array(sums[..<half]) + combined(sums[half...], with: elements)
    }
    return functions.indices.map { position in
      let both = builder.combine(functions[position], sums[position], sums[half + position])
      return builder.reduce(functions[position], both, lanes: lanes)
    }
  }

  private func largest(_ scores: Address) -> Value {
    across([.maximum]) { column in [load(scores, column)] }[0]
  }

  /// Replaces scores by their exponentials, relative to the largest.
  ///
  /// - Returns: 1 / the sum of the exponentials.
  func exponentials(_ scores: Address) -> Value {
    exponentials(scores, largest: largest(scores))
  }

  /// Replaces scores by their probabilities, and the gradients of those by the gradients of the scores.
  func softmaxGradient(_ scores: Address, _ gradients: Address) {
    softmaxGradient(scores, gradients, largest: largest(scores))
  }
}

/// Loops over a row of scores, vector by vector.
protocol ScoreLoops {
  var builder: IRBuilder { get }
  /// The factor that scores lack, above 0.
  var scale: Float { get }

  /// Runs `body` for each vector of a row, which begins at `column`, and combines what it returns by `functions`.
  func across(_ functions: [ReductionFunction], _ body: (_ column: Value) -> [Value]) -> [Value]
}

extension ScoreLoops {
  var lanes: Int { builder.lanes }

  func load(_ row: Address, _ column: Value) -> Value {
    builder.load(builder.float, builder.advance(row, by: column), lanes: lanes)
  }

  /// The exponential of a score relative to the largest one; what is below the least normal number counts as that.
  private func exponential(_ score: Value, less largest: Value) -> Value {
    var relative = builder.subtract(score, builder.splat(largest, lanes: lanes))
    if scale != 1 { relative = builder.multiply(relative, builder.constant(scale, lanes: lanes)) }
    return builder.exponentialOfModerate(builder.maximum(builder.constant(-87, lanes: lanes), relative), lanes: lanes)
  }

  /// Replaces scores by their exponentials, relative to the largest.
  ///
  /// - Returns: 1 / the sum of the exponentials.
  func exponentials(_ scores: Address, largest: Value) -> Value {
    let sums = across([.sum]) { column in
      let power = exponential(load(scores, column), less: largest)
      builder.store(power, builder.advance(scores, by: column))
      return [power]
    }
    return builder.divide(builder.constant(1), sums[0])
  }

  /// Replaces scores by their probabilities, and the gradients of those by the gradients of the scores.
  func softmaxGradient(_ scores: Address, _ gradients: Address, largest: Value) {
    let sums = across([.sum, .sum]) { column in
      let power = exponential(load(scores, column), less: largest)
      builder.store(power, builder.advance(scores, by: column))
      return [power, builder.multiply(power, load(gradients, column))]
    }
    let scale = builder.divide(builder.constant(1), sums[0])
    let mean = builder.splat(builder.multiply(sums[1], scale), lanes: lanes)
    let factor = builder.splat(scale, lanes: lanes)
    _ = across([]) { column in
      let probability = builder.multiply(load(scores, column), factor)
      builder.store(probability, builder.advance(scores, by: column))
      let difference = builder.subtract(load(gradients, column), mean)
      builder.store(builder.multiply(probability, difference), builder.advance(gradients, by: column))
      return []
    }
  }
}
