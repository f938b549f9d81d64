import WaMIMGraph

/// `x` repeated along its axes of extent 1, aligned at the last axes.
func broadcast(_ x: DenseTensor, to shape: Shape) -> [Double] {
  let aligned = [Int](repeating: 1, count: shape.rank - x.shape.rank) + x.shape.dimensions
  let strides = zip(aligned, Shape(aligned).strides).map { $0 == 1 ? 0 : $1 }
  return offsets(shape.dimensions, strides: strides).map { x.elements[$0] }
}

/// `x` with axis `permutation[i]` as axis `i`.
func transpose(_ x: DenseTensor, _ permutation: [Int]) -> [Double] {
  let strides = x.shape.strides
  return offsets(permutation.map { x.shape[$0] }, strides: permutation.map { strides[$0] }).map { x.elements[$0] }
}

/// Every `step`-th element along `axis`, `count` of them from `start`.
func slice(_ x: DenseTensor, _ axis: Int, _ start: Int, _ count: Int, _ step: Int) -> [Double] {
  sliceOffsets(axis, start, count, step, in: x.shape).map { x.elements[$0] }
}

/// Zeros of extent `extent` along `axis`, with `x` at `start`, `start + step`, ….
func pad(_ x: DenseTensor, _ axis: Int, _ start: Int, _ extent: Int, _ step: Int) -> [Double] {
  var shape = x.shape
  shape[axis] = extent
  var result = zeros(shape)
  for (element, offset) in zip(x.elements, sliceOffsets(axis, start, x.shape[axis], step, in: shape)) { result[offset] = element }
  return result
}

/// The operands one after the other along `axis`.
func concatenate(_ operands: [DenseTensor], _ axis: Int) -> [Double] {
  var shape = operands[0].shape
  shape[axis] = operands.reduce(0) { $0 + $1.shape[axis] }
  var result = zeros(shape)
  var start = 0
  for operand in operands {
    for (element, offset) in zip(operand.elements, sliceOffsets(axis, start, operand.shape[axis], 1, in: shape)) {
      result[offset] = element
    }
    start += operand.shape[axis]
  }
  return result
}

/// Where in a tensor of `shape` the elements lie that a slice along `axis` takes.
private func sliceOffsets(_ axis: Int, _ start: Int, _ count: Int, _ step: Int, in shape: Shape) -> [Int] {
  var (dimensions, strides) = (shape.dimensions, shape.strides)
  let first = start * strides[axis]
  dimensions[axis] = count
  strides[axis] *= step
  return offsets(dimensions, strides: strides, from: first)
}
