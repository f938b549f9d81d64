import WaMIMGraph

/// Rows of `rows` [b, n, c] picked by `indices` [b, k] in each sample.
///
/// - Throws: `GraphError` where an index points outside the rows.
func gather(_ rows: DenseTensor, _ indices: DenseTensor) throws -> [Double] {
  let width = rows.shape[2]
  var result: [Double] = []
  for row in try pickedRows(indices, count: rows.shape[1]) {
    result += rows.elements[row * width..<(row + 1) * width]
  }
  return result
}

/// `rows` [b, k, c] added up at `indices` [b, k] in zeros [b, count, c].
///
/// - Throws: `GraphError` where an index points outside the result.
func scatterAdd(_ rows: DenseTensor, _ indices: DenseTensor, rows count: Int) throws -> [Double] {
  let width = rows.shape[-1]
  var result = zeros([rows.shape[0], count, width])
  for (source, target) in try pickedRows(indices, count: count).enumerated() {
    for channel in 0..<width { result[target * width + channel] += rows.elements[source * width + channel] }
  }
  return result
}

/// The rows that `indices` [b, …] pick, counted through all samples of `count` rows each.
private func pickedRows(_ indices: DenseTensor, count: Int) throws -> [Int] {
  let picked = indices.shape.count / indices.shape[0]
  return try indices.elements.enumerated().map { position, index in
    guard let row = Int(exactly: index), 0..<count ~= row else {
      throw GraphError("an index of \(index) points outside \(count) rows")
    }
    return position / picked * count + row
  }
}

/// The rank of each number among those along the last axis in ascending order, equal ones in the order they stand in.
func rank(_ x: DenseTensor) -> [Double] {
  let extent = x.shape[-1]
  var result = zeros(x.shape)
  for start in stride(from: 0, to: x.elements.count, by: extent) {
    let order = (start..<start + extent).sorted { (x.elements[$0], $0) < (x.elements[$1], $1) }
    for (rank, element) in order.enumerated() { result[element] = Double(rank) }
  }
  return result
}

/// The inverse of the permutation along the last axis.
///
/// - Throws: `GraphError` where there is no permutation.
func invertPermutation(_ x: DenseTensor) throws -> [Double] {
  let extent = x.shape[-1]
  var result = [Double](repeating: -1, count: x.elements.count)
  for (position, index) in x.elements.enumerated() {
    guard let index = Int(exactly: index), 0..<extent ~= index, result[position / extent * extent + index] < 0 else {
      throw GraphError("\(index) at position \(position % extent) is out of range or stands twice in a permutation of \(extent)")
    }
    result[position / extent * extent + index] = Double(position % extent)
  }
  return result
}
