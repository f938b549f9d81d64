/// The type of a tensor's elements.
public enum ElementType: String, Hashable, Sendable, Codable, CaseIterable {
  /// IEEE 754 binary32.
  case float32 = "f32"
  /// Signed integers, which index rows.
  case int32 = "i32"

  /// Bytes of one element.
  public var byteCount: Int {
    switch self {
    case .float32, .int32: 4
    }
  }

  /// Whether elements are floating-point numbers, which arithmetic takes.
  public var isFloatingPoint: Bool {
    switch self {
    case .float32: true
    case .int32: false
    }
  }
}
