import Glibc

/// Random numbers that are a function of a key and a position, so that no result depends on who draws first.
///
/// A key comes from a seed and what the numbers are for; the number at a position is the key's sequence of SplitMix64 at that index,
/// reached without drawing those before it.
package struct RandomNumbers: Sendable {
  private let key: UInt64
  private var position: UInt64 = 0

  /// What a sequence is for; sequences for different purposes are independent.
  package enum Purpose: UInt64, Sendable {
    case initialValues = 1
    case noise
    case order
    case augmentation
    case synthetic
    case benchmark
    case selection
    case erasing
    case mixing
  }

  /// The sequence for `purpose` and whatever `identifiers` tell apart within it.
  package init(seed: UInt64, purpose: Purpose, _ identifiers: UInt64...) {
    var key = Self.mix(seed &+ Self.increment)
    key = Self.mix(key ^ purpose.rawValue &* Self.increment)
    for identifier in identifiers { key = Self.mix(key &+ Self.increment) ^ Self.mix(identifier &+ Self.increment) }
    self.key = Self.mix(key)
  }

  /// The 64 random bits at `position`.
  @inline(__always)
  package func bits(at position: UInt64) -> UInt64 {
    Self.mix(key &+ (position &+ 1) &* Self.increment)
  }

  /// The number in [0, 1) at `position`, a multiple of 2^-24.
  @inline(__always)
  package func uniform(at position: UInt64) -> Float {
    Float(bits(at: position) >> 40) * 0x1p-24
  }

  /// The next 64 random bits.
  package mutating func nextBits() -> UInt64 {
    defer { position &+= 1 }
    return bits(at: position)
  }

  /// The next number in [0, 1), a multiple of 2^-53.
  package mutating func next() -> Double {
    Self.unit(nextBits())
  }

  /// The next number in `range`.
  package mutating func next(in range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * next()
  }

  /// The next integer below `bound`, which has to be positive.
  package mutating func next(below bound: Int) -> Int {
    Int(truncatingIfNeeded: UInt64(truncatingIfNeeded: bound).multipliedFullWidth(by: nextBits()).high)
  }

  /// Two independent numbers of the standard normal distribution, by the method of Box and Muller, of the bits at `position` and after it.
  package func normalPair(at position: UInt64) -> (Double, Double) {
    // In (0, 1], whose logarithm is finite.
    let radius = (-2 * log(1 - Self.unit(bits(at: position)))).squareRoot()
    let angle = 2 * Double.pi * Self.unit(bits(at: position &+ 1))
    return (radius * cos(angle), radius * sin(angle))
  }

  /// The next number of the standard normal distribution, for which two positions are taken.
  package mutating func nextNormal() -> Double {
    defer { position &+= 2 }
    return normalPair(at: position).0
  }

  /// The next number of the distribution Beta(`alpha`, `alpha`), for an `alpha` above 0.
  package mutating func nextBeta(_ alpha: Double) -> Double {
    let (first, second) = (nextGammaLogarithm(alpha), nextGammaLogarithm(alpha))
    return 1 / (1 + exp(second - first))
  }

  /// The logarithm of the next number of a gamma distribution, by the method of Marsaglia and Tsang; that of a small number is finite.
  private mutating func nextGammaLogarithm(_ shape: Double) -> Double {
    guard shape >= 1 else { return nextGammaLogarithm(shape + 1) + log(1 - next()) / shape }
    let d = shape - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let normal = nextNormal()
      let uniform = 1 - next()
      let root = 1 + c * normal
      guard root > 0 else { continue }
      let cube = root * root * root
      if log(uniform) < normal * normal / 2 + d - d * cube + d * log(cube) { return log(d * cube) }
    }
  }

  private static func unit(_ bits: UInt64) -> Double { Double(bits >> 11) * 0x1p-53 }

  private static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15

  @inline(__always)
  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
