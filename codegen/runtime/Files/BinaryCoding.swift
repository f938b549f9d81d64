/// Numbers and texts as bytes, one after the other.
struct BinaryWriter {
  private(set) var bytes: [UInt8] = []

  mutating func append(_ values: [UInt8]) { bytes += values }

  /// Appends a number, its lowest byte first.
  mutating func append(_ number: UInt64) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// Appends how many `values` there are, and them.
  mutating func appendCounted(_ values: [UInt8]) {
    append(UInt64(values.count))
    append(values)
  }

  /// A number that changes when any of the bytes so far does.
  var checksum: UInt64 { Self.checksum(bytes[...]) }

  /// The FNV-1a sum of `bytes`.
  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.withUnsafeBufferPointer { checksum($0, continuing: emptyChecksum) }
  }

  /// The FNV-1a sum of no bytes.
  static let emptyChecksum: UInt64 = 0xCBF2_9CE4_8422_2325

  /// The sum of `bytes` after those whose sum is `sum`.
  static func checksum(_ bytes: some Sequence<UInt8>, continuing sum: UInt64) -> UInt64 {
    bytes.reduce(sum) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}

/// Reads what a `BinaryWriter` wrote; nil where the bytes end or make no sense.
struct BinaryReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) {
    rest = bytes
  }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func next() -> UInt64? {
    guard rest.count >= 8 else { return nil }
    defer { rest = rest.dropFirst(8) }
    return rest.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
  }

  mutating func nextCounted() -> ArraySlice<UInt8>? {
    guard let count = next(), count <= rest.count else { return nil }
    defer { rest = rest.dropFirst(Int(count)) }
    return rest.prefix(Int(count))
  }

  /// Reads a count and as many elements.
  mutating func nextArray<Element>(_ element: (inout BinaryReader) -> Element?) -> [Element]? {
    // An element takes eight bytes at least, so no count can ask for more memory than the bytes themselves.
    guard let count = next(), count <= rest.count / 8 else { return nil }
    var elements: [Element] = []
    elements.reserveCapacity(Int(count))
    for _ in 0..<count {
      guard let next = element(&self) else { return nil }
      elements.append(next)
    }
    return elements
  }
}
