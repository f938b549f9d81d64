import WaMIMTypes

/// The static type of a value: what its elements are, and how many there are along each axis.
public struct TensorType: Hashable, Sendable, CustomStringConvertible {
  public var element: ElementType
  public var shape: Shape

  public init(_ element: ElementType, _ shape: Shape) {
    self.element = element
    self.shape = shape
  }

  /// The size of a tensor of this type.
  public var byteCount: Int { shape.count * element.byteCount }

  public var description: String {
    shape.rank == 0 ? element.rawValue : "\(element.rawValue)\(shape)"
  }
}
