import CLLVM
import WaMIMGraph

extension IRBuilder {
  /// A function of one number, applied to each lane.
  func apply(_ function: UnaryFunction, to x: Value, lanes: Int) -> Value {
    switch function {
    case .negate: negate(x)
    case .exponential: exponential(x, lanes: lanes)
    case .logarithm: logarithm(x, lanes: lanes)
    case .squareRoot: squareRoot(x)
    case .reciprocalSquareRoot: divide(constant(1, lanes: lanes), squareRoot(x))
    case .errorFunction: errorFunction(x, lanes: lanes)
    case .hyperbolicTangent: hyperbolicTangent(x, lanes: lanes)
    case .cosinePi: cosinePi(x, lanes: lanes)
    case .sinePi: sinePi(x, lanes: lanes)
    }
  }

  /// A function of two numbers, applied to each pair of lanes.
  func apply(_ function: BinaryFunction, to left: Value, _ right: Value, lanes: Int) -> Value {
    switch function {
    case .add: add(left, right)
    case .subtract: subtract(left, right)
    case .multiply: multiply(left, right)
    case .divide: divide(left, right)
    case .maximum: maximum(left, right)
    case .minimum: minimum(left, right)
    case .atLeast:
      select(compare(LLVMRealOGE, left, right), constant(1, lanes: lanes), constant(0, lanes: lanes))
    }
  }

  /// One more element of a reduction; of a maximum, what is not a number is passed over.
  func combine(_ function: ReductionFunction, _ sum: Value, _ element: Value) -> Value {
    switch function {
    case .sum: add(sum, element)
    case .maximum: maximum(element, sum)
    }
  }

  /// What changes no result: a negative zero, for a positive one would turn the sum of negative zeros positive.
  func neutral(_ function: ReductionFunction, lanes: Int) -> Value {
    switch function {
    case .sum: constant(-0.0, lanes: lanes)
    case .maximum: constant(-Float.infinity, lanes: lanes)
    }
  }

  /// Combines the lanes of a vector, its halves first.
  func reduce(_ function: ReductionFunction, _ vector: Value, lanes: Int) -> Value {
    guard lanes > 1 else { return vector }
    let half = lanes / 2
    guard half > 1 else { return combine(function, extract(vector, lane: 0), extract(vector, lane: 1)) }
    let low = shuffle(vector, vector, (0..<half).map { $0 })
    let high = shuffle(vector, vector, (half..<lanes).map { $0 })
    return reduce(function, combine(function, low, high), lanes: half)
  }

  /// `vector` in the first `count` lanes and what changes no result in the others.
  func padded(_ vector: Value, count: Int, for function: ReductionFunction, lanes: Int) -> Value {
    guard count < lanes else { return vector }
    return shuffle(vector, neutral(function, lanes: lanes), (0..<lanes).map { $0 < count ? $0 : lanes + $0 })
  }
}
