import WaMIMGraph

/// The product of matrices in the last two axes, the right one shared where it has no leading axes.
func matmul(_ left: DenseTensor, _ right: DenseTensor, _ transposeLeft: Bool, _ transposeRight: Bool) -> [Double] {
  let (m, k) = transposeLeft ? (left.shape[-1], left.shape[-2]) : (left.shape[-2], left.shape[-1])
  let n = transposeRight ? right.shape[-2] : right.shape[-1]
  let (leftRow, leftColumn) = transposeLeft ? (1, m) : (k, 1)
  let (rightRow, rightColumn) = transposeRight ? (1, k) : (n, 1)
  let count = left.shape.count / (m * k)
  let isShared = right.shape.rank == 2
  var result = [Double](repeating: 0, count: count * m * n)
  for matrix in 0..<count {
    let (leftStart, rightStart, start) = (matrix * m * k, isShared ? 0 : matrix * k * n, matrix * m * n)
    for row in 0..<m {
      for inner in 0..<k {
        let factor = left.elements[leftStart + row * leftRow + inner * leftColumn]
        for column in 0..<n {
          result[start + row * n + column] += factor * right.elements[rightStart + inner * rightRow + column * rightColumn]
        }
      }
    }
  }
  return result
}
