/// The extents of a tensor's axes, outermost first; an empty shape is a scalar's.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
  /// The extent of each axis.
  public var dimensions: [Int]

  public init(_ dimensions: [Int]) {
    self.dimensions = dimensions
  }

  public init(arrayLiteral elements: Int...) {
    self.dimensions = elements
  }

  /// The number of axes.
  public var rank: Int { dimensions.count }

  /// The number of elements.
  public var count: Int { dimensions.reduce(1, *) }

  /// The extent of `axis`, which counts from the end where it is negative; 1 for an axis that the shape does not have.
  ///
  /// Missing axes read as broadcasting reads them, so that a layer can go on with the harmless value that a mistake leaves.
  public subscript(axis: Int) -> Int {
    get {
      let index = axis < 0 ? axis + rank : axis
      return dimensions.indices.contains(index) ? dimensions[index] : 1
    }
    set { dimensions[axis < 0 ? axis + rank : axis] = newValue }
  }

  /// How far apart neighbours along each axis lie when the elements are in row-major order.
  public var strides: [Int] {
    var strides = [Int](repeating: 1, count: rank)
    for axis in stride(from: rank - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] * dimensions[axis + 1]
    }
    return strides
  }

  /// The shape that both broadcast to when aligned at their last axes, or nil where they disagree.
  public func broadcast(with other: Shape) -> Shape? {
    let rank = max(self.rank, other.rank)
    var result = [Int](repeating: 1, count: rank)
    for axis in 1...max(rank, 1) where axis <= rank {
      let left = axis <= self.rank ? self[-axis] : 1
      let right = axis <= other.rank ? other[-axis] : 1
      guard left == right || left == 1 || right == 1 else { return nil }
      result[rank - axis] = left == 1 ? right : left
    }
    return Shape(result)
  }

  public var description: String {
    "[" + dimensions.map(String.init).joined(separator: ", ") + "]"
  }
}
