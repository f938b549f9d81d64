/// Sums over tensors, each made by one thread.
final class TensorSums: @unchecked Sendable {
  /// Written by one thread each.
  private let sums: UnsafeMutableBufferPointer<Double>

  init(count: Int) {
    sums = .allocate(capacity: count)
    sums.initialize(repeating: 0)
  }

  deinit {
    sums.deallocate()
  }

  /// The sum of all sums, always added in the same order.
  var total: Double { sums.reduce(0, +) }

  /// Makes the sum of index `index`, over `elements`.
  func note(_ term: SumTerm, of elements: UnsafeMutableBufferPointer<Float>, at index: Int) {
    sums[index] =
      switch term {
      case .value: Self.total(elements) { $0 }
      case .square: Self.total(elements) { $0 * $0 }
      }
  }

  /// The sum of `term` of each value, as doubles, four at a time.
  @inline(__always)
  private static func total(
    _ values: UnsafeMutableBufferPointer<Float>, _ term: (SIMD4<Double>) -> SIMD4<Double>
  ) -> Double {
    guard let base = values.baseAddress else { return 0 }
    var sums = (SIMD4<Double>.zero, SIMD4<Double>.zero)
    let start = UnsafeRawPointer(base)
    var index = 0
    while index + 8 <= values.count {
      sums.0 += term(SIMD4<Double>(start.loadUnaligned(fromByteOffset: 4 * index, as: SIMD4<Float>.self)))
      sums.1 += term(SIMD4<Double>(start.loadUnaligned(fromByteOffset: 4 * index + 16, as: SIMD4<Float>.self)))
      index += 8
    }
    var sum = (sums.0 + sums.1).sum()
    while index < values.count {
      sum += term(SIMD4<Double>(Double(values[index]), 0, 0, 0))[0]
      index += 1
    }
    return sum
  }
}
