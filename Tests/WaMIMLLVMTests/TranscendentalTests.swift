import Foundation
import KernelSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMLLVM

@Suite struct TranscendentalTests {
  /// A function as row kernels compute it, and how good its results have to be.
  private struct Case: Sendable, CustomTestStringConvertible {
    /// The number is what the first instruction loads, the result what the last one leaves.
    var instructions: [Instruction]
    var accuracy: Accuracy
    var testDescription: String

    init(
      _ name: String, _ steps: Instruction..., truth: @escaping @Sendable (Double) -> Double, limit: Double,
      leastScale: Float = 0, domain: ClosedRange<Float>? = nil, thresholds: [Float]
    ) {
      testDescription = name
      instructions = [.load(Access(argument: 0, offset: 0, strides: [TranscendentalTests.width, 1]))] + steps
      accuracy = Accuracy(truth: truth, limit: limit, leastScale: leastScale, domain: domain, thresholds: thresholds)
    }

    init(
      _ function: UnaryFunction, truth: @escaping @Sendable (Double) -> Double, limit: Double, thresholds: [Float]
    ) {
      self.init("\(function)", .unary(function, 0), truth: truth, limit: limit, thresholds: thresholds)
    }
  }

  private static let cases = [
    Case(
      .exponential, truth: { Foundation.exp($0) }, limit: 2,
      thresholds: [88.72284, 89, 87.33654, 103.27893, 103.97208, 104, 0.34657359]),
    Case(
      .logarithm, truth: { Foundation.log($0) }, limit: 2, thresholds: [Float(0.5).squareRoot(), 1, Float(2).squareRoot()]),
    Case(.errorFunction, truth: { Foundation.erf($0) }, limit: 2, thresholds: [0.925, 3.8325, 4]),
    Case(.hyperbolicTangent, truth: { Foundation.tanh($0) }, limit: 2, thresholds: [0.625, 9.0109, 10]),
    Case(.squareRoot, truth: { $0.squareRoot() }, limit: 0.5, thresholds: [1]),
    Case(.reciprocalSquareRoot, truth: { 1 / $0.squareRoot() }, limit: 1.5, thresholds: [1]),
    Case(.cosinePi, truth: cosinePi, limit: 2, thresholds: [0.25, 0.5, 0.75, 1, 1.5, 2, 4_194_304, 8_388_608, 16_777_216]),
    Case(.sinePi, truth: sinePi, limit: 2, thresholds: [0.25, 0.5, 0.75, 1, 1.5, 2, 4_194_304, 8_388_608, 16_777_216]),
    // What a GELU has of the error function, in one step. The truth is a complement, in which nothing cancels.
    Case(
      "1 + errorFunction", .unary(.errorFunction, 0), .constant(1), .binary(.add, 1, 2), truth: { Foundation.erfc(-$0) },
      limit: 1.1, leastScale: 1, thresholds: [0.5, 4, 9.2, 10]),
    Case(
      "1 + errorFunction of negative numbers", .unary(.errorFunction, 0), .constant(1), .binary(.add, 1, 2),
      truth: { Foundation.erfc(-$0) }, limit: 0.65, leastScale: 1, domain: -.infinity ... -0.0, thresholds: [0.5, 4, 9.2, 10]),
    // The same as a GELU's gradient has it, with the error function's derivative.
    Case(
      "1 + errorFunction, besides a gaussian", .binary(.multiply, 0, 0), .unary(.negate, 1), .unary(.exponential, 2),
      .unary(.errorFunction, 0), .constant(1), .binary(.add, 4, 5), truth: { Foundation.erfc(-$0) },
      limit: 2, leastScale: 1, thresholds: [0.5, 3.8, 4.3, 10]),
    Case(
      "1 + errorFunction of negative numbers, besides a gaussian", .binary(.multiply, 0, 0), .unary(.negate, 1),
      .unary(.exponential, 2), .unary(.errorFunction, 0), .constant(1), .binary(.add, 4, 5), truth: { Foundation.erfc(-$0) },
      limit: 1.5, leastScale: 1, domain: -.infinity ... -0.0, thresholds: [0.5, 3.8, 4.3, 10]),
  ]

  /// Elements of a row, so that every function is computed in full vectors and in what is left of them.
  private static let width = 53

  /// A kernel that takes rows of `width` numbers through `instructions`.
  private func kernel(_ instructions: [Instruction]) -> Kernel {
    let width = Self.width
    let target = Access(argument: 1, offset: 0, strides: [width, 1])
    let stage = RowStage(
      extent: .elements, instructions: instructions, stores: [Store(access: target, operand: instructions.count - 1)])
    return Kernel(
      arguments: [KernelArgument.Access.read, .write].map {
        KernelArgument(element: .float32, access: $0, unitStride: width, count: width)
      }, body: .rows(RowKernel(outer: [1], width: width, stages: [stage])))
  }

  /// What the only kernel of `compiled` makes of `numbers`.
  private func results(_ compiled: CompiledKernels, _ numbers: [Float]) throws -> [Double] {
    // The kernel loops over as many rows as a call has.
    let rows = (numbers.count + Self.width - 1) / Self.width
    let padded = numbers + [Float](repeating: 0, count: rows * Self.width - numbers.count)
    var arrays = [padded, [Float](repeating: 0, count: padded.count)]
    try compiled.run(0, arrays: &arrays, ranges: [0..<rows])
    return arrays[1].map(Double.init)
  }

  @Test(arguments: cases) private func aFunctionIsWithinUnitsOfTheLastPlace(item: Case) throws {
    for processor in processorsToTest() {
      let compiled = try CompiledKernels([kernel(item.instructions)], backend: LLVMBackend(processor: processor))
      let worst = try item.accuracy.worstOfSample { try results(compiled, $0) }
      #expect(worst.error <= item.accuracy.limit, "\(item.testDescription) on \(processor.name): \(worst)")
    }
  }

  @Test(.enabled(if: everyNumberProcessor != nil), arguments: cases)
  private func everyNumberIsWithinUnitsOfTheLastPlace(item: Case) throws {
    let processor = try TargetProcessor.named(everyNumberProcessor ?? "native")
    let compiled = try CompiledKernels([kernel(item.instructions)], backend: LLVMBackend(processor: processor))
    let worst = try item.accuracy.worstOfAll { try results(compiled, $0) }
    print("\(item.testDescription): at most \(worst.error) units of the last place, \(worst.result) for \(worst.number)")
    #expect(worst.error <= item.accuracy.limit, "\(item.testDescription): \(worst)")
  }

  @Test func halfTurnsAreExactAtMultiplesOfOneHalf() throws {
    let numbers = (-64...64).map { Float($0) / 2 } + [8_388_607.5, 8_388_608, 8_388_609, 16_777_215, .greatestFiniteMagnitude]
    for processor in processorsToTest() {
      for (function, shift) in [(UnaryFunction.cosinePi, 1), (.sinePi, 0)] {
        let load = Instruction.load(Access(argument: 0, offset: 0, strides: [Self.width, 1]))
        let compiled = try CompiledKernels([kernel([load, .unary(function, 0)])], backend: LLVMBackend(processor: processor))
        for (number, result) in zip(numbers, try results(compiled, numbers)) {
          let quarters = (Int((2 * Double(number)).truncatingRemainder(dividingBy: 4)) + shift + 4) % 4
          #expect(result == [0, 1, 0, -1][quarters], "\(function) of \(number) on \(processor.name)")
        }
      }
    }
  }
}
