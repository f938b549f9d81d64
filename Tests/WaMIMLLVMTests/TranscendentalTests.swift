import Foundation
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMLLVM

@Suite struct TranscendentalTests {
  /// Every function, the true value of each number, and how far results may be from it, in units of the last place.
  private static let functions: [(function: UnaryFunction, truth: @Sendable (Double) -> Double, limit: Double)] = [
    (.exponential, { Foundation.exp($0) }, 2), (.logarithm, { Foundation.log($0) }, 2), (.errorFunction, { Foundation.erf($0) }, 2),
    (.hyperbolicTangent, { Foundation.tanh($0) }, 2), (.squareRoot, { $0.squareRoot() }, 0.5),
    (.reciprocalSquareRoot, { 1 / $0.squareRoot() }, 1.5), (.cosinePi, cosinePi, 2), (.sinePi, sinePi, 2),
  ]

  /// Numbers a step of the bit pattern apart, of both signs, and those around which a function's steps change.
  private static func sample() -> [Float] {
    let spread = stride(from: UInt32(0), to: 0x7F80_0000, by: 4_099).map { Float(bitPattern: $0) }
    let special: [Float] = [
      0, .leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude, .infinity, .nan, 1, 0.5, 2, 88.72283, 88.72284,
      87.33654, 87.33655, 103.27893, 103.97207, 103.97208, 104, 89, 0.625, 0.925, 4, 9.01, 10, Float(0.5).squareRoot(),
      Float(2).squareRoot(), 0.25, 0.75, 1.25, 1.5, 2.5, 3, 5, 4_194_303.5, 8_388_607.5, 8_388_609, 16_777_215, 16_777_216,
    ]
    let near = special.flatMap { [$0.nextDown, $0, $0.nextUp] }
    let usual = (0..<200_000).map { Float($0) * 0.0006 }
    let positive = spread + near + usual
    return positive + positive.map { -$0 }
  }

  /// A kernel whose rows are `width` wide, so that every function is computed in full vectors and in what is left of them.
  private func kernel(_ function: UnaryFunction, rows: Int, width: Int) -> Kernel {
    let (source, target) = (
      Access(argument: 0, offset: 0, strides: [width, 1]), Access(argument: 1, offset: 0, strides: [width, 1])
    )
    let stage = RowStage(
      extent: .elements, instructions: [.load(source), .unary(function, 0)], stores: [Store(access: target, operand: 1)])
    return Kernel(
      arguments: [
        KernelArgument(element: .float32, access: .read, unitStride: width, count: width),
        KernelArgument(element: .float32, access: .write, unitStride: width, count: width),
      ], body: .rows(RowKernel(outer: [rows], width: width, stages: [stage])))
  }

  @Test func functionsAreWithinTwoUnitsOfTheLastPlace() throws {
    let width = 53
    var numbers = Self.sample()
    numbers += [Float](repeating: 0, count: (width - numbers.count % width) % width)
    let rows = numbers.count / width
    for processor in processorsToTest() {
      let kernels = Self.functions.map { kernel($0.function, rows: rows, width: width) }
      let compiled = try CompiledKernels(kernels, backend: LLVMBackend(processor: processor))
      for (index, item) in Self.functions.enumerated() {
        var arrays = [numbers, [Float](repeating: 0, count: numbers.count)]
        try compiled.run(index, arrays: &arrays, ranges: [0..<rows])
        let worst = zip(numbers, arrays[1]).map { (number: $0, result: $1, error: error($1, item.truth(Double($0)))) }
          .max { $0.error < $1.error }
        #expect((worst?.error ?? 0) <= item.limit, "\(item.function) on \(processor.name): \(String(describing: worst))")
      }
    }
  }

  @Test func halfTurnsAreExactAtMultiplesOfOneHalf() throws {
    let numbers = (-64...64).map { Float($0) / 2 } + [8_388_607.5, 8_388_608, 8_388_609, 16_777_215, .greatestFiniteMagnitude]
    for processor in processorsToTest() {
      let kernels = [UnaryFunction.cosinePi, .sinePi].map { kernel($0, rows: 1, width: numbers.count) }
      let compiled = try CompiledKernels(kernels, backend: LLVMBackend(processor: processor))
      for (index, shift) in [(0, 1), (1, 0)] {
        var arrays = [numbers, [Float](repeating: 0, count: numbers.count)]
        try compiled.run(index, arrays: &arrays, ranges: [0..<1])
        for (number, result) in zip(numbers, arrays[1]) {
          let quarters = (Int((2 * Double(number)).truncatingRemainder(dividingBy: 4)) + shift + 4) % 4
          #expect(result == [0, 1, 0, -1][quarters], "function \(index) of \(number) on \(processor.name)")
        }
      }
    }
  }

  /// How far a result is from the truth, in units of the last place of the truth; infinite where one of them is special.
  private func error(_ result: Float, _ truth: Double) -> Double {
    let rounded = Float(truth)
    if rounded.isNaN { return result.isNaN ? 0 : .infinity }
    if rounded == result { return rounded.sign == result.sign || rounded != 0 ? 0 : .infinity }
    guard result.isFinite else {
      return truth > 0 && result > 0
        ? abs(Double(Float.greatestFiniteMagnitude) - truth) / Double(Float.greatestFiniteMagnitude.ulp) : .infinity
    }
    guard rounded.isFinite else { return abs(Double(result) - truth) / Double(Float.greatestFiniteMagnitude.ulp) }
    return abs(Double(result) - truth) / Double(rounded.ulp)
  }
}
