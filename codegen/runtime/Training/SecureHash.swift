/// SHA-256 (FIPS 180-4), which names a graph by its content as `sha256sum` does.
package enum SecureHash {
  /// The hash of `bytes` in hexadecimal digits.
  package static func sha256(_ bytes: [UInt8]) -> String {
    var message = bytes
    message.append(0x80)
    message += [UInt8](repeating: 0, count: (119 - bytes.count % 64) % 64)
    let bits = UInt64(bytes.count) * 8
    message += (0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * $0)) }
    var state = roots(of: primes.prefix(8)) { $0.squareRoot() }
    for start in stride(from: 0, to: message.count, by: 64) { mix(message[start..<start + 64], into: &state) }
    return state.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }

  /// Works one block of 64 bytes into the eight words of the state.
  private static func mix(_ block: ArraySlice<UInt8>, into state: inout [UInt32]) {
    var words = stride(from: block.startIndex, to: block.endIndex, by: 4).map { index in
      block[index..<index + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }
    for index in 16..<64 {
      let (first, second) = (words[index - 15], words[index - 2])
      let low = turned(first, 7) ^ turned(first, 18) ^ first >> 3
      let high = turned(second, 17) ^ turned(second, 19) ^ second >> 10
      words.append(words[index - 16] &+ low &+ words[index - 7] &+ high)
    }
    var (a, b, c, d) = (state[0], state[1], state[2], state[3])
    var (e, f, g, h) = (state[4], state[5], state[6], state[7])
    for index in 0..<64 {
      let choice = e & f ^ ~e & g
      let majority = a & b ^ a & c ^ b & c
      let first = h &+ (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) &+ choice &+ constants[index] &+ words[index]
      let second = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) &+ majority
      (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ second)
    }
    for (index, word) in [a, b, c, d, e, f, g, h].enumerated() { state[index] &+= word }
  }

  private static func turned(_ word: UInt32, _ count: UInt32) -> UInt32 { word >> count | word << (32 - count) }

  /// The first 64 primes.
  private static let primes: [Int] = (2...311).filter { candidate in !(2..<candidate).contains { candidate % $0 == 0 } }

  /// The first 32 bits of the fractions of the primes' cube roots.
  private static let constants = roots(of: primes[...]) { cubeRoot($0) }

  private static func roots(of primes: ArraySlice<Int>, by root: (Double) -> Double) -> [UInt32] {
    primes.map { prime in
      let root = root(Double(prime))
      return UInt32((root - root.rounded(.down)) * 0x1p32)
    }
  }

  /// The cube root of a number above 1, by Newton's method.
  private static func cubeRoot(_ value: Double) -> Double {
    var root = value
    for _ in 0..<64 { root = (2 * root + value / (root * root)) / 3 }
    return root
  }
}
