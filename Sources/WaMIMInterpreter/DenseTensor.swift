import WaMIMGraph

/// The numbers of one value in row-major order; integers are held as numbers too.
public struct DenseTensor: Hashable, Sendable {
  public var shape: Shape
  public var elements: [Double]

  /// - Requires: there are as many elements as the shape has.
  public init(_ shape: Shape, _ elements: [Double]) {
    precondition(elements.count == shape.count, "\(elements.count) elements do not fill the shape \(shape)")
    self.shape = shape
    self.elements = elements
  }

  /// A tensor whose elements are all `value`.
  public init(_ shape: Shape, repeating value: Double) {
    self.init(shape, [Double](repeating: value, count: shape.count))
  }
}

/// Where the elements of a tensor lie, in row-major order, when neighbours along axis `i` are `strides[i]` apart.
func offsets(_ dimensions: [Int], strides: [Int], from start: Int = 0) -> [Int] {
  var result = [start]
  for (extent, stride) in zip(dimensions, strides) {
    var next: [Int] = []
    next.reserveCapacity(result.count * extent)
    for offset in result {
      for index in 0..<extent { next.append(offset + index * stride) }
    }
    result = next
  }
  return result
}
