/// The type of a tensor's elements.
public enum ElementType: String, Hashable, Sendable, Codable, CaseIterable {
  /// IEEE 754 binary32.
  case float32 = "f32"
  /// The upper half of a binary32: 8 bits of exponent, 7 of fraction; matmuls and attention read it, nothing else computes with it.
  case bfloat16 = "bf16"
  /// Signed integers, which index rows.
  case int32 = "i32"

  /// Bytes of one element.
  public var byteCount: Int {
    switch self {
    case .float32, .int32: 4
    case .bfloat16: 2
    }
  }

  /// Whether elements are floating-point numbers.
  public var isFloatingPoint: Bool {
    switch self {
    case .float32, .bfloat16: true
    case .int32: false
    }
  }
}
