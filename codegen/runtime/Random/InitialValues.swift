import Glibc
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
    case .xavierUniform(let fanIn, let fanOut):
      let bound = Float((6 / Double(max(1, fanIn + fanOut))).squareRoot())
      for index in values.indices {
        values[index] = (2 * numbers.uniform(at: UInt64(index)) - 1) * bound
      }
    }
  }

  /// Draws by the method of Box and Muller, two numbers at a time.
  private static func fillNormal(
    _ values: UnsafeMutableBufferPointer<Float>, standardDeviation: Float, from numbers: RandomNumbers
  ) {
    for first in stride(from: 0, to: values.count, by: 2) {
      // In (0, 1], whose logarithm is finite.
      let radius = (-2 * log(1 - unit(numbers.bits(at: UInt64(first))))).squareRoot()
      let angle = 2 * Double.pi * unit(numbers.bits(at: UInt64(first + 1)))
      values[first] = Float(radius * cos(angle)) * standardDeviation
      if first + 1 < values.count { values[first + 1] = Float(radius * sin(angle)) * standardDeviation }
    }
  }

  private static func unit(_ bits: UInt64) -> Double { Double(bits >> 11) * 0x1p-53 }

  /// FNV-1a: the same number for the same name in every process.
  package static func hash(_ name: String) -> UInt64 {
    name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
  }
}
