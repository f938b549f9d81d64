import CLLVM

// Each function is within 2 units in the last place of the true value for every argument, subnormal results, infinities and
// what is not a number included, and takes the same steps in a lane of a vector as in a scalar. The coefficients are minimax
// fits of the relative error, rounded to float32.

extension IRBuilder {
  /// e to the power of `x`.
  func exponential(_ x: Value, lanes: Int) -> Value {
    // Beyond the clamps the result rounds to 0 and overflows to infinity; a number that is none passes both.
    let clamped = maximum(constant(-104, lanes: lanes), minimum(constant(89, lanes: lanes), x))
    let (fraction, exponent) = exponentialFactors(clamped, lanes: lanes)
    if let scaled = scaled(fraction, byPowerOfTwo: exponent.count, lanes: lanes) { return scaled }
    // The power of two in two factors, each of them representable even where their product is not.
    let half = shiftRight(exponent.integer, integer(1, lanes: lanes))
    let scaled = multiply(fraction, powerOfTwo(half, lanes: lanes))
    return multiply(scaled, powerOfTwo(subtractIntegers(exponent.integer, half), lanes: lanes))
  }

  /// e to the power of `x`, for numbers whose result is a normal one.
  func exponentialOfModerate(_ x: Value, lanes: Int) -> Value {
    let (fraction, exponent) = exponentialFactors(x, lanes: lanes)
    if let scaled = scaled(fraction, byPowerOfTwo: exponent.count, lanes: lanes) { return scaled }
    return multiply(fraction, powerOfTwo(exponent.integer, lanes: lanes))
  }

  /// `value` times two to the power of an integer, where the processor has an instruction for it.
  private func scaled(_ value: Value, byPowerOfTwo count: Value, lanes: Int) -> Value? {
    guard lanes == self.lanes, let scaling = processor.instructionSet.scaling else { return nil }
    let (everyLane, toNearest) = (
      Value(reference: LLVMConstAllOnes(LLVMInt16TypeInContext(context))), integer(4)
    )
    return callIntrinsic(scaling, overloads: [], [value, count, value, everyLane, toNearest])
  }

  /// A number near 1 and a power of two whose product is e to the power of `x`.
  private func exponentialFactors(
    _ x: Value, lanes: Int
  ) -> (fraction: Value, exponent: (count: Value, integer: Value)) {
    // Adding 1.5 · 2²³ rounds to an integer and leaves it in the lowest bits.
    let rounder = constant(12_582_912, lanes: lanes)
    let shifted = multiplyAdd(x, constant(1.4426950408889634, lanes: lanes), rounder)
    let exponent = subtractIntegers(
      bitcast(shifted, to: vector(int32, lanes: lanes)), integer(0x4B40_0000, lanes: lanes))
    let count = subtract(shifted, rounder)
    // log(2) as a sum of two numbers, the first short enough for its product to be exact.
    let rest = multiplyAdd(
      count, constant(-1.42860677e-6, lanes: lanes), multiplyAdd(count, constant(-0.693145751953125, lanes: lanes), x))
    let series = polynomial([0.49999994, 0.1666652, 0.04166839, 0.008368789, 0.0013814926], at: rest, lanes: lanes)
    let power = multiplyAdd(multiply(rest, rest), series, rest)
    return (add(power, constant(1, lanes: lanes)), (count, exponent))
  }

  private func powerOfTwo(_ exponent: Value, lanes: Int) -> Value {
    let biased = addIntegers(exponent, integer(127, lanes: lanes))
    return bitcast(shiftLeft(biased, integer(23, lanes: lanes)), to: vector(float, lanes: lanes))
  }

  /// The natural logarithm.
  func logarithm(_ x: Value, lanes: Int) -> Value {
    let (integers, floats) = (vector(int32, lanes: lanes), vector(float, lanes: lanes))
    let isSubnormal = compare(LLVMRealOLT, x, constant(.leastNormalMagnitude, lanes: lanes))
    let normal = select(isSubnormal, multiply(x, constant(8_388_608, lanes: lanes)), x)
    let correction = select(isSubnormal, constant(-23, lanes: lanes), constant(0, lanes: lanes))
    // x = (1 + rest) · 2 ^ exponent, with 1 + rest from sqrt(1/2) to sqrt(2).
    let bits = bitcast(normal, to: integers)
    let exponent = shiftRight(
      subtractIntegers(bits, integer(0x3F35_04F3, lanes: lanes)), integer(23, lanes: lanes))
    let mantissa = bitcast(
      subtractIntegers(bits, shiftLeft(exponent, integer(23, lanes: lanes))), to: floats)
    let rest = subtract(mantissa, constant(1, lanes: lanes))
    let count = add(self.floats(fromIntegers: exponent, lanes: lanes), correction)
    let square = multiply(rest, rest)
    let series = polynomial(
      [
        0.33333313, -0.25000012, 0.20002115, -0.16667937, 0.14219584, -0.12406718, 0.11889123, -0.11668921, 0.06735901,
      ], at: rest, lanes: lanes)
    var sum = multiplyAdd(
      multiply(rest, square), series, multiply(count, constant(1.42860677e-6, lanes: lanes)))
    sum = multiplyAdd(square, constant(-0.5, lanes: lanes), sum)
    sum = multiplyAdd(count, constant(0.693145751953125, lanes: lanes), add(rest, sum))
    return logarithmOfSpecial(x, otherwise: sum, lanes: lanes)
  }

  private func logarithmOfSpecial(_ x: Value, otherwise result: Value, lanes: Int) -> Value {
    let zero = constant(0, lanes: lanes)
    let infinity = constant(Float.infinity, lanes: lanes)
    let ofNone = select(
      compare(LLVMRealOEQ, x, zero), constant(-Float.infinity, lanes: lanes), constant(Float.nan, lanes: lanes))
    let ofFinite = select(compare(LLVMRealOGT, x, zero), result, ofNone)
    return select(compare(LLVMRealOEQ, x, infinity), infinity, ofFinite)
  }

  /// The hyperbolic tangent.
  func hyperbolicTangent(_ x: Value, lanes: Int) -> Value {
    let one = constant(1, lanes: lanes)
    let square = multiply(x, x)
    let series = polynomial([-0.3333328, 0.1333144, -0.053739525, 0.020638436, -0.005704228], at: square, lanes: lanes)
    let near = multiplyAdd(multiply(x, square), series, x)
    // From 10 on the result rounds to 1.
    let magnitude = minimum(constant(10, lanes: lanes), self.magnitude(x))
    let power = exponentialOfModerate(add(magnitude, magnitude), lanes: lanes)
    let far = subtract(one, divide(constant(2, lanes: lanes), add(power, one)))
    // A sum would lose the sign of a negative zero.
    return copySign(select(compare(LLVMRealOLT, magnitude, constant(0.625, lanes: lanes)), near, far), from: x)
  }

  /// The error function.
  func errorFunction(_ x: Value, lanes: Int) -> Value {
    let nearSeries = polynomial(
      [0.12837917, -0.37612632, 0.112836875, -0.02685894, 0.005199907, -0.0008130013, 8.316776e-05],
      at: multiply(x, x), lanes: lanes)
    let near = multiplyAdd(x, nearSeries, x)
    // Farther out, 1 less e to a fit of the logarithm of the complement; from 4 on the result rounds to 1.
    let magnitude = minimum(constant(4, lanes: lanes), self.magnitude(x))
    let farSeries = polynomial(
      [
        0.00017468314, -1.1295149, -0.6333469, -0.10828007, 0.025119416, -0.0041710585, 0.00043446166, -2.1094962e-05,
      ], at: magnitude, lanes: lanes)
    let far = subtract(constant(1, lanes: lanes), exponentialOfModerate(farSeries, lanes: lanes))
    return select(compare(LLVMRealOLT, magnitude, constant(0.925, lanes: lanes)), near, copySign(far, from: x))
  }

  /// 1 and the error function of `x` together, within 1.1 units in the last place of 1, and 0.65 for negative `x`, by all numbers.
  ///
  /// Cheaper than the error function, whose small results have to be exact where the sum's need not be, and closer for negative
  /// `x`, where the two nearly cancel. Half a unit of each bound is the rounding of the sum or the exponential.
  func onePlusErrorFunction(_ x: Value, lanes: Int) -> Value {
    // The complement's logarithm by a fit without constant coefficient, the closer the larger the complement is; from 9.2 on that is
    // nothing beside 1.
    let magnitude = minimum(constant(9.2, lanes: lanes), self.magnitude(x))
    let higher = polynomial(
      [
        -0.6366108, -0.10283332, 0.019317558, -9.591108e-05, -0.0014472976, 0.00053189095, -9.6575728e-05, 8.799397e-06,
        -3.1392287e-07,
      ], at: magnitude, lanes: lanes)
    // The largest coefficient by itself, last: its rounding is what counts most.
    let series = multiplyAdd(magnitude, higher, constant(-1.1283796, lanes: lanes))
    return reflected(exponentialOfModerate(multiply(magnitude, series), lanes: lanes), by: x, lanes: lanes)
  }

  /// The same sum where e to the power of -`x`² is needed too, within 2 units in the last place of 1, and 1.5 for negative `x`.
  ///
  /// The complement is that power times a slowly varying factor. The power is written as others write it, so that simplification
  /// leaves one of them.
  func onePlusErrorFunctionBesideGaussian(_ x: Value, lanes: Int) -> Value {
    let gaussian = exponential(negate(multiply(x, x)), lanes: lanes)
    // From 3.8 on, where the fit is still positive, the factor matters little to what is nearly nothing beside 1. The fit is around
    // 0.5, where rounded coefficients cost least.
    let magnitude = minimum(constant(3.8, lanes: lanes), self.magnitude(x))
    let factor = polynomial(
      [
        0.6156903, -0.51268893, 0.3593498, -0.22200736, 0.124115825, -0.06395664, 0.030977001, -0.014174801, 0.005734836,
        -0.0017621893, 0.0003362851, -2.8559873e-05,
      ], at: subtract(magnitude, constant(0.5, lanes: lanes)), lanes: lanes)
    return reflected(multiply(gaussian, factor), by: x, lanes: lanes)
  }

  /// What the error function's complement for |`x`| is for `-x`: itself, or what it lacks of 2.
  private func reflected(_ complement: Value, by x: Value, lanes: Int) -> Value {
    let isNegative = compare(LLVMRealOLT, x, constant(0, lanes: lanes))
    return select(isNegative, complement, subtract(constant(2, lanes: lanes), complement))
  }

  /// A polynomial, the constant coefficient first.
  ///
  /// Even and odd powers are summed apart: one product more than Horner's rule, and half as long a chain of them.
  func polynomial(_ coefficients: [Float], at x: Value, lanes: Int) -> Value {
    guard coefficients.count > 3 else { return horner(coefficients, at: x, lanes: lanes) }
    let square = multiply(x, x)
    let halves = (0...1).map { parity in
      horner(coefficients.indices.filter { $0 % 2 == parity }.map { coefficients[$0] }, at: square, lanes: lanes)
    }
    return multiplyAdd(halves[1], x, halves[0])
  }

  /// A polynomial by Horner's rule, the constant coefficient first; more exact where the last coefficients are large.
  func horner(_ coefficients: [Float], at x: Value, lanes: Int) -> Value {
    guard let last = coefficients.last else { return constant(0, lanes: lanes) }
    return coefficients.dropLast().reversed().reduce(constant(last, lanes: lanes)) { sum, coefficient in
      multiplyAdd(sum, x, constant(coefficient, lanes: lanes))
    }
  }
}
