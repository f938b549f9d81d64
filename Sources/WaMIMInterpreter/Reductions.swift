import WaMIMGraph

/// The elements along `axes` combined in row-major order, beginning with `initial`.
func reduce(_ x: DenseTensor, _ axes: [Int], from initial: Double, _ combine: (Double, Double) -> Double) -> [Double] {
  var shape = x.shape
  for axis in axes { shape[axis] = 1 }
  var strides = shape.strides
  for axis in axes { strides[axis] = 0 }
  var result = [Double](repeating: initial, count: shape.count)
  for (element, offset) in zip(x.elements, offsets(x.shape.dimensions, strides: strides)) {
    result[offset] = combine(result[offset], element)
  }
  return result
}
