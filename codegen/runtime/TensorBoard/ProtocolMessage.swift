/// A Protocol Buffers message that is being written, field by field.
struct ProtocolMessage {
  private(set) var bytes: [UInt8] = []

  /// How a field's value is laid out, by the format's numbers.
  private enum WireType: UInt64 {
    case variable = 0
    case eightBytes = 1
    case counted = 2
    case fourBytes = 5
  }

  mutating func add(_ field: Int, _ value: Int) {
    start(field, .variable)
    addVariable(UInt64(bitPattern: Int64(value)))
  }

  mutating func add(_ field: Int, _ value: Double) {
    start(field, .eightBytes)
    addLittleEndian(value.bitPattern)
  }

  mutating func add(_ field: Int, _ value: Float) {
    start(field, .fourBytes)
    addLittleEndian(value.bitPattern)
  }

  mutating func add(_ field: Int, _ value: String) {
    add(field, Array(value.utf8))
  }

  mutating func add(_ field: Int, _ value: ProtocolMessage) {
    add(field, value.bytes)
  }

  mutating func add(_ field: Int, _ value: [UInt8]) {
    start(field, .counted)
    addVariable(UInt64(value.count))
    bytes += value
  }

  private mutating func start(_ field: Int, _ type: WireType) {
    addVariable(UInt64(field) << 3 | type.rawValue)
  }

  /// Seven bits a byte, the lowest first; the highest bit says that more follow.
  private mutating func addVariable(_ value: UInt64) {
    var rest = value
    while rest > 0x7F {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func addLittleEndian(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }
}
