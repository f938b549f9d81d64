/// Floating-point numbers of other widths than the model's.
enum ElementConversion {
  /// The types of the safetensors format that become float32.
  static let types = ["F32", "F16", "BF16", "F64"]

  /// The `count` numbers of `type` that `bytes` are, in the order of this machine's bytes.
  static func floats(_ bytes: UnsafeRawBufferPointer, of type: String, count: Int) -> [Float] {
    switch type {
    case "F16": (0..<count).map { Float(Float16(bitPattern: bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))) }
    case "BF16":
      (0..<count).map { Float(bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self)) << 16) }
    case "F64": (0..<count).map { Float(bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self)) }
    default: (0..<count).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
  }
}
