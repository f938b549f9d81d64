import CLLVM

// Within 2 units in the last place of the true value for every argument, as the other functions, and exact at multiples of ½.

extension IRBuilder {
  /// sin(π · `x`), at integers a zero with the sign of `x`.
  func sinePi(_ x: Value, lanes: Int) -> Value {
    let rest = lessEvenNumber(magnitude(x), lanes: lanes)
    let angle = angle(of: rest, lanes: lanes)
    let sine = copySign(select(angle.isNearAxis, angle.sine, angle.cosine), from: rest)
    // Adding 0 turns a negative zero positive, before the sign of `x` comes in.
    let ofMagnitude = add(sine, constant(0, lanes: lanes))
    return multiply(ofMagnitude, copySign(constant(1, lanes: lanes), from: x))
  }

  /// cos(π · `x`), a positive zero halfway between integers.
  func cosinePi(_ x: Value, lanes: Int) -> Value {
    let rest = lessEvenNumber(x, lanes: lanes)
    let angle = angle(of: rest, lanes: lanes)
    let cosine = select(angle.isNearAxis, angle.cosine, angle.sine)
    return select(compare(LLVMRealOGT, magnitude(rest), constant(0.5, lanes: lanes)), negate(cosine), cosine)
  }

  /// `x` less the even number nearest to it, which is exact at every magnitude: from -1 to 1.
  private func lessEvenNumber(_ x: Value, lanes: Int) -> Value {
    let half = rounded(multiply(x, constant(0.5, lanes: lanes)))
    return subtract(x, multiply(half, constant(2, lanes: lanes)))
  }

  /// A direction by what it makes with the nearest of the two axes, at most an eighth of a turn.
  private struct Angle {
    /// Whether that is the axis of cosines.
    var isNearAxis: Value
    /// The magnitudes of the sine and the cosine of what it makes with that axis.
    var sine, cosine: Value
  }

  /// The direction of π · `rest`, from -1 to 1.
  private func angle(of rest: Value, lanes: Int) -> Angle {
    let turn = magnitude(rest)
    let distance = minimum(turn, subtract(constant(1, lanes: lanes), turn))
    let isNearAxis = compare(LLVMRealOLE, distance, constant(0.25, lanes: lanes))
    let reduced = select(isNearAxis, distance, subtract(constant(0.5, lanes: lanes), distance))
    let square = multiply(reduced, reduced)
    // π as a sum of two numbers, so that its rounding does not count.
    let sineSeries = horner([-8.742278e-08, -5.167709, 2.5498052, -0.58941877], at: square, lanes: lanes)
    let cosineSeries = horner([1, -4.934802, 4.0587077, -1.3350506, 0.23136423], at: square, lanes: lanes)
    return Angle(
      isNearAxis: isNearAxis, sine: multiplyAdd(reduced, constant(3.1415927, lanes: lanes), multiply(reduced, sineSeries)),
      cosine: cosineSeries)
  }
}
