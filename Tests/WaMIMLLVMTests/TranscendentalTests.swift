import Foundation
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMLLVM

@Suite struct TranscendentalTests {
  /// A function, and how good its results have to be.
  private struct Accuracy: Sendable {
    var function: UnaryFunction
    /// The true value for each number.
    var truth: @Sendable (Double) -> Double
    /// How far results may be from it, in units of the last place.
    var limit: Double
    /// The magnitudes around which the function's steps or its special results change.
    var thresholds: [Float]
  }

  private static let functions = [
    Accuracy(
      function: .exponential, truth: { Foundation.exp($0) }, limit: 2,
      thresholds: [88.72284, 89, 87.33654, 103.27893, 103.97208, 104, 0.34657359]),
    Accuracy(
      function: .logarithm, truth: { Foundation.log($0) }, limit: 2,
      thresholds: [Float(0.5).squareRoot(), 1, Float(2).squareRoot()]),
    Accuracy(function: .errorFunction, truth: { Foundation.erf($0) }, limit: 2, thresholds: [0.925, 3.8325, 4]),
    Accuracy(function: .hyperbolicTangent, truth: { Foundation.tanh($0) }, limit: 2, thresholds: [0.625, 9.0109, 10]),
    Accuracy(function: .squareRoot, truth: { $0.squareRoot() }, limit: 0.5, thresholds: [1]),
    Accuracy(function: .reciprocalSquareRoot, truth: { 1 / $0.squareRoot() }, limit: 1.5, thresholds: [1]),
    Accuracy(
      function: .cosinePi, truth: cosinePi, limit: 2, thresholds: [0.25, 0.5, 0.75, 1, 1.5, 2, 4_194_304, 8_388_608, 16_777_216]),
    Accuracy(
      function: .sinePi, truth: sinePi, limit: 2, thresholds: [0.25, 0.5, 0.75, 1, 1.5, 2, 4_194_304, 8_388_608, 16_777_216]),
  ]

  /// Bit patterns of positive numbers: some of all, subnormal and not a number included, and all that are near thresholds.
  private static func patterns(_ accuracy: Accuracy) -> [UInt32] {
    let spread = stride(from: UInt32(0), to: 0x8000_0000, by: 4_093)
    let subnormal = stride(from: UInt32(0), to: Float.leastNormalMagnitude.bitPattern, by: 251)
    let everywhere: [Float] = [0, .leastNormalMagnitude, .greatestFiniteMagnitude, .infinity]
    let near = (everywhere + accuracy.thresholds).flatMap { threshold in
      let center = threshold.bitPattern
      return max(center, 4_096) - 4_096...center + 4_096
    }
    return Array(spread) + Array(subnormal) + near
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

  /// Runs compiled code on every number of `patterns`, of both signs, and returns the one that is farthest from the truth.
  private func worst(
    _ accuracy: Accuracy, of patterns: [UInt32], _ compiled: CompiledKernels, index: Int
  ) throws -> (number: Float, result: Float, error: Double) {
    var numbers = patterns.flatMap { [Float(bitPattern: $0), Float(bitPattern: $0 | 0x8000_0000)] }
    numbers += [Float](repeating: 0, count: (Self.width - numbers.count % Self.width) % Self.width)
    var arrays = [numbers, [Float](repeating: 0, count: numbers.count)]
    try compiled.run(index, arrays: &arrays, ranges: [0..<numbers.count / Self.width])
    var worst = (number: Float(0), result: Float(0), error: -1.0)
    for (number, result) in zip(numbers, arrays[1]) {
      let error = error(result, accuracy.truth(Double(number)))
      if error > worst.error { worst = (number, result, error) }
    }
    return worst
  }

  /// Elements of a row, so that every function is computed in full vectors and in what is left of them.
  private static let width = 53

  @Test(arguments: functions.indices) func aFunctionIsWithinUnitsOfTheLastPlace(index: Int) throws {
    let accuracy = Self.functions[index]
    let patterns = Self.patterns(accuracy)
    for processor in processorsToTest() {
      // The kernel loops over as many rows as a call has.
      let compiled = try CompiledKernels(
        [kernel(accuracy.function, rows: 1, width: Self.width)], backend: LLVMBackend(processor: processor))
      let worst = try worst(accuracy, of: patterns, compiled, index: 0)
      #expect(worst.error <= accuracy.limit, "\(accuracy.function) on \(processor.name): \(worst)")
    }
  }

  /// The processor for which every one of the four thousand million numbers is to be tried, which takes some minutes a function.
  private static let everyNumberProcessor = ProcessInfo.processInfo.environment["WAMIM_EVERY_NUMBER"]

  @Test(.enabled(if: everyNumberProcessor != nil), arguments: functions.indices)
  func everyNumberIsWithinUnitsOfTheLastPlace(index: Int) throws {
    let accuracy = Self.functions[index]
    let processor = try TargetProcessor.named(Self.everyNumberProcessor ?? "native")
    let compiled = try CompiledKernels(
      [kernel(accuracy.function, rows: 1, width: Self.width)], backend: LLVMBackend(processor: processor))
    let block: UInt32 = 1 << 20
    var worst = (number: Float(0), result: Float(0), error: -1.0)
    for start in stride(from: UInt32(0), to: 0x8000_0000, by: Int(block)) {
      let found = try self.worst(accuracy, of: Array(start..<start + block), compiled, index: 0)
      if found.error > worst.error { worst = found }
    }
    print("\(accuracy.function): at most \(worst.error) units of the last place, \(worst.result) for \(worst.number)")
    #expect(worst.error <= accuracy.limit, "\(accuracy.function): \(worst)")
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
