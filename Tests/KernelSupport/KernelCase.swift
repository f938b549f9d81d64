import TestSupport
import WaMIMCompiler
import WaMIMGraph

extension SeededGenerator {
  package mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

  package mutating func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &self) < share }

  package mutating func floats(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: -2...2, using: &self) } }
}

/// A kernel, what it is run on and how many units it has.
package struct KernelCase {
  package var kernel: Kernel
  package var arrays: [[Float]]
  package var units: Int
  /// The largest difference from the reference, relative to the largest magnitude that comes up.
  package var tolerance: Float

  package init(kernel: Kernel, arrays: [[Float]], units: Int, tolerance: Float = 3e-6) {
    self.kernel = kernel
    self.arrays = arrays
    self.units = units
    self.tolerance = tolerance
  }

  /// The same work where `arguments` are of bf16.
  package func rounding(_ arguments: Set<Int>) -> KernelCase {
    var result = self
    for argument in arguments {
      result.kernel.arguments[argument].element = .bfloat16
      result.arrays[argument] = arrays[argument].map(BFloat16.rounded)
    }
    return result
  }
}
