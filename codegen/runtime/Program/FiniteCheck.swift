/// Looks for numbers that are not finite.
enum FiniteCheck {
  /// Whether the numbers of 32 bits from `start` on are all finite.
  static func isFinite(_ start: UnsafeRawPointer, byteCount: Int) -> Bool {
    // A finite number times zero is zero, and any other is not a number, as is every sum with it.
    var sums = SIMD8<Float>.zero
    let count = byteCount / 4
    let values = UnsafeBufferPointer(start: start.assumingMemoryBound(to: Float.self), count: count)
    var index = 0
    while index + 8 <= count {
      sums += (start + 4 * index).loadUnaligned(as: SIMD8<Float>.self) * 0
      index += 8
    }
    var sum = sums.sum()
    while index < count {
      sum += values[index] * 0
      index += 1
    }
    return sum == 0
  }
}
