import Foundation
import Testing
import WaMIMCompiler
import WaMIMLLVM

/// The exponentials of attention's scores, told from its results.
///
/// A unit has one query, (1, 0, 0, …) once it is scaled, and a key (x, …) for each number x: its score is x. The first key's
/// score is 0, the largest, so that its exponential is 1. Values are unit vectors, so that each channel of the result is
/// a key's exponential over the sum of all, and over that of the first key the exponential alone, rounded once more.
@Suite struct SoftmaxExponentialTests {
  /// Channels of the head, a power of four, so that scaling is exact.
  private static let headWidth = 64
  /// Keys of a unit, so that exponentials are computed in full vectors and in what is left of them.
  private static let keyCount = 53

  /// Scores below -87 count as -87, so that results are normal numbers.
  private static let accuracy = Accuracy(
    truth: { Foundation.exp(max(-87, $0)) }, limit: 2, domain: -.greatestFiniteMagnitude...0,
    thresholds: [87, 88, 87.33654, 0.34657359, 1])

  private static let kernel: Kernel = {
    let (keys, channels) = (keyCount, headWidth)
    let shape = AttentionShape(heads: 1, headWidth: channels, queryCount: 1, keyCount: keys)
    func rows(_ argument: Int, _ stride: Int) -> TokenRows { TokenRows(argument: argument, offset: 0, rowStride: stride) }
    // A key is a window on the numbers; the query's zeros leave nothing of those after the first.
    let attention = AttentionKernel(
      shape: shape, query: rows(0, channels), key: rows(1, 1), value: rows(2, channels), result: rows(3, channels), workspace: 4)
    func argument(_ access: KernelArgument.Access, _ unitStride: Int, _ count: Int) -> KernelArgument {
      KernelArgument(element: .float32, access: access, unitStride: unitStride, count: count)
    }
    return Kernel(
      arguments: [
        argument(.read, 0, channels), argument(.read, keys, keys + channels - 1), argument(.read, 0, keys * channels),
        argument(.write, channels, channels), argument(.workspace, 0, 0),
      ], body: .attention(attention))
  }()

  /// The exponentials of `numbers`, none of them positive.
  private func exponentials(_ compiled: CompiledKernels, of numbers: [Float]) throws -> [Double] {
    let (keys, channels, numbersEach) = (Self.keyCount, Self.headWidth, Self.keyCount - 1)
    let units = (numbers.count + numbersEach - 1) / numbersEach
    var scores = [Float](repeating: 0, count: units * keys + channels)
    for (position, number) in numbers.enumerated() { scores[position / numbersEach * keys + 1 + position % numbersEach] = number }
    var query = [Float](repeating: 0, count: channels)
    query[0] = Float(channels).squareRoot()
    // Large ones, so that what is left of a small exponential is a normal number.
    let largeNumber: Float = 0x1p40
    var values = [Float](repeating: 0, count: keys * channels)
    for key in 0..<keys { values[key * channels + key] = largeNumber }
    var arrays = [
      query, scores, values, [Float](repeating: 0, count: units * channels), [],
    ]
    try compiled.run(0, arrays: &arrays, ranges: [0..<units])
    return numbers.indices.map { position in
      let row = position / numbersEach * channels
      return Double(arrays[3][row + 1 + position % numbersEach]) / Double(arrays[3][row])
    }
  }

  @Test func anExponentialIsWithinUnitsOfTheLastPlace() throws {
    for processor in processorsToTest() {
      let compiled = try CompiledKernels([Self.kernel], backend: LLVMBackend(processor: processor))
      let worst = try Self.accuracy.worstOfSample { try exponentials(compiled, of: $0) }
      #expect(worst.error <= Self.accuracy.limit, "on \(processor.name): \(worst)")
    }
  }

  @Test(.enabled(if: everyNumberProcessor != nil)) func everyNumberIsWithinUnitsOfTheLastPlace() throws {
    let processor = try TargetProcessor.named(everyNumberProcessor ?? "native")
    let compiled = try CompiledKernels([Self.kernel], backend: LLVMBackend(processor: processor))
    let worst = try Self.accuracy.worstOfAll { try exponentials(compiled, of: $0) }
    print("exponential of a score: at most \(worst.error) units of the last place, \(worst.result) for \(worst.number)")
    #expect(worst.error <= Self.accuracy.limit, "\(worst)")
  }
}
