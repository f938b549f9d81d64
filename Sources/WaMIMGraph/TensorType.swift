/// The type of a tensor's elements; all are 32 bits wide.
public enum ElementType: String, Hashable, Sendable, CaseIterable {
  /// IEEE single precision.
  case float32 = "f32"
  /// Signed integers, which index rows.
  case int32 = "i32"

  /// The size of one element.
  public static let byteCount = 4
}

/// The static type of a value: what its elements are, and how many there are along each axis.
public struct TensorType: Hashable, Sendable, CustomStringConvertible {
  public var element: ElementType
  public var shape: Shape

  public init(_ element: ElementType, _ shape: Shape) {
    self.element = element
    self.shape = shape
  }

  /// The size of a tensor of this type.
  public var byteCount: Int { shape.count * ElementType.byteCount }

  public var description: String {
    shape.rank == 0 ? element.rawValue : "\(element.rawValue)\(shape)"
  }
}
