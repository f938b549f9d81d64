import Foundation

/// How good the results of a function have to be, and how good they are.
struct Accuracy: Sendable {
  /// The true value for each number.
  var truth: @Sendable (Double) -> Double
  /// How far results may be from it, in units of the last place of the truth.
  var limit: Double
  /// Truths of a smaller magnitude count as if their last place were this one's.
  var leastScale: Float = 0
  /// The numbers for which all of this holds; nil for all, and what is not a number.
  var domain: ClosedRange<Float>?
  /// The magnitudes around which the function's steps or its special results change.
  var thresholds: [Float]

  /// A number, what came out for it, and how far that is from the truth.
  struct Result {
    var number: Float = 0
    var result = 0.0
    var error = -1.0
  }

  /// Some of all numbers, subnormal and not a number included, and all that are near thresholds, of both signs.
  var sample: [Float] {
    let spread = stride(from: UInt32(0), to: 0x8000_0000, by: 4_093)
    let subnormal = stride(from: UInt32(0), to: Float.leastNormalMagnitude.bitPattern, by: 251)
    let everywhere: [Float] = [0, .leastNormalMagnitude, .greatestFiniteMagnitude, .infinity]
    let near = (everywhere + thresholds).flatMap { threshold in
      let center = threshold.bitPattern
      return max(center, 4_096) - 4_096...center + 4_096
    }
    return numbers(Array(spread) + Array(subnormal) + near)
  }

  /// The numbers of the domain whose magnitudes have these bits.
  private func numbers(_ magnitudes: some Sequence<UInt32>) -> [Float] {
    let numbers = magnitudes.flatMap { [Float(bitPattern: $0), Float(bitPattern: $0 | 0x8000_0000)] }
    guard let domain else { return numbers }
    return numbers.filter(domain.contains)
  }

  /// The worst of results for `sample`, which `evaluate` computes.
  func worstOfSample(_ evaluate: ([Float]) throws -> [Double]) rethrows -> Result {
    try worst(of: sample, evaluate)
  }

  /// The worst of the results for each of the four thousand million numbers that is in the domain.
  func worstOfAll(_ evaluate: ([Float]) throws -> [Double]) rethrows -> Result {
    let block: UInt32 = 1 << 20
    var worst = Result()
    for start in stride(from: UInt32(0), to: 0x8000_0000, by: Int(block)) {
      let numbers = numbers(start..<start + block)
      guard !numbers.isEmpty else { continue }
      let found = try self.worst(of: numbers, evaluate)
      if found.error > worst.error { worst = found }
    }
    return worst
  }

  private func worst(of numbers: [Float], _ evaluate: ([Float]) throws -> [Double]) rethrows -> Result {
    var worst = Result()
    for (number, result) in zip(numbers, try evaluate(numbers)) {
      let error = error(result, truth(Double(number)))
      if error > worst.error { worst = Result(number: number, result: result, error: error) }
    }
    return worst
  }

  /// How far a result is from the truth, in units of the last place; infinite where one of them is special.
  private func error(_ result: Double, _ truth: Double) -> Double {
    let rounded = Float(truth)
    if rounded.isNaN { return result.isNaN ? 0 : .infinity }
    if Double(rounded) == result { return rounded.sign == result.sign || rounded != 0 ? 0 : .infinity }
    guard result.isFinite else {
      return truth > 0 && result > 0
        ? abs(Double(Float.greatestFiniteMagnitude) - truth) / Double(Float.greatestFiniteMagnitude.ulp) : .infinity
    }
    guard rounded.isFinite else { return abs(result - truth) / Double(Float.greatestFiniteMagnitude.ulp) }
    return abs(result - truth) / Double(max(rounded.ulp, leastScale.ulp))
  }
}

/// The processor for which every one of the four thousand million numbers is to be tried, which takes some minutes a function.
let everyNumberProcessor = ProcessInfo.processInfo.environment["WAMIM_EVERY_NUMBER"]
