/// A value of a graph under construction.
public struct Tensor {
  public let builder: GraphBuilder
  public let value: ValueID

  /// The value's static type.
  public var type: TensorType { builder.graph[value].type }

  /// The value's static shape.
  public var shape: Shape { type.shape }

  init(builder: GraphBuilder, value: ValueID) {
    self.builder = builder
    self.value = value
  }
}

// MARK: Sources

extension GraphBuilder {
  /// Declares a tensor that the runtime provides in every step: by default, a batch of images [batch, channels, height, width].
  public func input(
    _ name: String, _ shape: Shape, _ element: ElementType = .float32, from binding: Binding = .images, file: String = #fileID,
    line: Int = #line
  ) -> Tensor {
    located(file, line) { add(.input(name: qualified(name), type: TensorType(element, shape), binding: binding)) }
  }

  /// Declares a tensor that the model learns, of the group being built where no other is given.
  public func parameter(
    _ name: String, _ shape: Shape, _ initializer: Initializer, group: ParameterGroup? = nil
  ) -> Tensor {
    add(.parameter(name: qualified(name), shape: shape, initializer: initializer, group: group ?? self.group))
  }

  /// A tensor whose elements are all `value`.
  public func constant(_ value: Float, _ shape: Shape = []) -> Tensor {
    add(.constant(value: value, shape: shape))
  }
}

// MARK: Arithmetic

extension Tensor {
  private func combined(_ function: BinaryFunction, _ other: Tensor) -> Tensor {
    guard let shape = shape.broadcast(with: other.shape) else {
      builder.fail(
        builder.graph.located(
          GraphError("'\(function.rawValue)' of \(type) and \(other.type): the shapes do not fit"),
          operands: [value, other.value], location: builder.location))
      return self
    }
    return builder.add(.binary(function), [broadcast(to: shape), other.broadcast(to: shape)])
  }

  private func combined(_ function: BinaryFunction, _ number: Float) -> Tensor {
    combined(function, builder.constant(number))
  }

  public static func + (left: Tensor, right: Tensor) -> Tensor { left.combined(.add, right) }
  public static func - (left: Tensor, right: Tensor) -> Tensor { left.combined(.subtract, right) }
  public static func * (left: Tensor, right: Tensor) -> Tensor { left.combined(.multiply, right) }
  public static func / (left: Tensor, right: Tensor) -> Tensor { left.combined(.divide, right) }
  public static func + (left: Tensor, right: Float) -> Tensor { left.combined(.add, right) }
  public static func - (left: Tensor, right: Float) -> Tensor { left.combined(.subtract, right) }
  public static func * (left: Tensor, right: Float) -> Tensor { left.combined(.multiply, right) }
  public static func / (left: Tensor, right: Float) -> Tensor { left.combined(.divide, right) }
  public static prefix func - (operand: Tensor) -> Tensor { operand.applying(.negate) }

  /// The larger of each pair of elements.
  public func maximum(_ other: Tensor) -> Tensor { combined(.maximum, other) }

  /// The smaller of each pair of elements.
  public func minimum(_ other: Tensor) -> Tensor { combined(.minimum, other) }

  /// 1 where the element is at least the other one, 0 elsewhere.
  public func atLeast(_ other: Tensor) -> Tensor { combined(.atLeast, other) }

  /// `function` of each element.
  public func applying(_ function: UnaryFunction) -> Tensor { builder.add(.unary(function), [self]) }

  /// The elements as numbers of another type: integers become floating-point numbers.
  public func converted(to element: ElementType) -> Tensor { builder.add(.convert(to: element), [self]) }

  /// The same value, with no gradient flowing back through it.
  public func detached() -> Tensor { builder.add(.detach, [self]) }
}

// MARK: Movement

extension Tensor {
  /// The tensor repeated along its axes of extent 1, aligned at the last axes.
  public func broadcast(to shape: Shape) -> Tensor {
    shape == self.shape ? self : builder.add(.broadcast(shape: shape), [self])
  }

  /// The same elements under another shape.
  public func reshaped(_ shape: Shape) -> Tensor {
    shape == self.shape ? self : builder.add(.reshape(shape: shape), [self])
  }

  /// The axes in another order: axis `i` of the result is axis `permutation[i]` of this tensor.
  public func transposed(_ permutation: [Int]) -> Tensor {
    builder.add(.transpose(permutation: permutation), [self])
  }

  /// Elements `range` along `axis`, every `step`-th of them.
  public func sliced(_ axis: Int, _ range: Range<Int>, step: Int = 1) -> Tensor {
    let axis = axis < 0 ? axis + shape.rank : axis
    let count = step > 0 ? (range.count + step - 1) / step : 0
    return builder.add(.slice(axis: axis, start: range.lowerBound, count: count, step: step), [self])
  }

  /// The tensors one after the other along `axis`.
  public static func concatenated(_ tensors: [Tensor], axis: Int, in builder: GraphBuilder) -> Tensor {
    builder.add(.concatenate(axis: axis), tensors)
  }
}

// MARK: Reductions and contractions

extension Tensor {
  private func reduced(_ function: ReductionFunction, _ axes: [Int]) -> Tensor {
    let axes = axes.map { $0 < 0 ? $0 + shape.rank : $0 }.sorted()
    return builder.add(.reduce(function, axes: axes), [self])
  }

  /// The sum along `axes`, which stay with an extent of 1.
  public func sum(_ axes: [Int]) -> Tensor { reduced(.sum, axes) }

  /// The largest element along `axes`, which stay with an extent of 1.
  public func max(_ axes: [Int]) -> Tensor { reduced(.maximum, axes) }

  /// The mean along `axes`, which stay with an extent of 1.
  public func mean(_ axes: [Int]) -> Tensor {
    let total = sum(axes)
    guard total.shape.count > 0 else { return total }
    return total * (1 / Float(shape.count / total.shape.count))
  }

  /// The sum of all elements, a scalar.
  public func total() -> Tensor {
    sum(Array(0..<shape.rank)).reshaped([])
  }

  /// The product of matrices in the last two axes.
  public func matmul(_ right: Tensor, transposeLeft: Bool = false, transposeRight: Bool = false) -> Tensor {
    builder.add(.matmul(transposeLeft: transposeLeft, transposeRight: transposeRight), [self, right])
  }

  /// Rows picked by `indices` [b, k] in each sample of this tensor [b, n, c].
  public func gathered(_ indices: Tensor) -> Tensor {
    builder.add(.gather, [self, indices])
  }
}
