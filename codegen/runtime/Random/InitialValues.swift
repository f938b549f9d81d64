import WaMIMManifest

/// The values that states have before the first step.
package enum InitialValues {
  /// Fills `values` with the first values of the state `name`: a function of the seed and the name, whatever else the model holds.
  package static func fill(
    _ values: UnsafeMutableBufferPointer<Float>, of name: String, by initializer: Initializer, seed: UInt64
  ) {
    let numbers = RandomNumbers(seed: seed, purpose: .initialValues, hash(name))
    switch initializer {
    case .constant(let value):
      values.update(repeating: value)
    case .normal(let standardDeviation):
      fillNormal(values, standardDeviation: standardDeviation, from: numbers)
    case .positions(let grid, let classToken):
      let rows = grid * grid + (classToken ? 1 : 0)
      let table = PositionTable.elements(width: values.count / max(1, rows), grid: grid, classToken: classToken)
      for (index, value) in zip(values.indices, table) { values[index] = value }
    case .xavierUniform(let fanIn, let fanOut):
      let bound = Float((6 / Double(max(1, fanIn + fanOut))).squareRoot())
      for index in values.indices {
        values[index] = (2 * numbers.uniform(at: UInt64(index)) - 1) * bound
      }
    }
  }

  /// Draws two numbers at a time.
  private static func fillNormal(
    _ values: UnsafeMutableBufferPointer<Float>, standardDeviation: Float, from numbers: RandomNumbers
  ) {
    for first in stride(from: 0, to: values.count, by: 2) {
      let pair = numbers.normalPair(at: UInt64(first))
      values[first] = Float(pair.0) * standardDeviation
      if first + 1 < values.count { values[first + 1] = Float(pair.1) * standardDeviation }
    }
  }

  /// FNV-1a: the same number for the same name in every process.
  package static func hash(_ name: String) -> UInt64 {
    name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
  }
}
