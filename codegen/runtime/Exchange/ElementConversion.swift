/// Floating-point numbers of other widths than the model's.
enum ElementConversion {
  /// The types of the safetensors format that become single-precision numbers.
  static let types = ["F32", "F16", "BF16", "F64"]

  /// Writes `bytes`, numbers of `type` in the order of this machine's bytes, to `target`.
  static func convert(_ bytes: UnsafeRawBufferPointer, of type: String, to target: UnsafeMutableBufferPointer<Float>) {
    for index in target.indices {
      switch type {
      case "F16": target[index] = Float(Float16(bitPattern: bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)))
      case "BF16":
        let upper = UInt32(bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
        target[index] = Float(bitPattern: upper << 16)
      case "F64": target[index] = Float(bytes.loadUnaligned(fromByteOffset: 8 * index, as: Double.self))
      default: target[index] = bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
      }
    }
  }
}
