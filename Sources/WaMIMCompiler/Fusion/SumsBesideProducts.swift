import WaMIMGraph

extension Lowering {
  /// The calls of which those that sum the rows of a product's left side have become part of the product: a bias's gradient, which is
  /// summed while the weight's reads the same numbers.
  func summingBesideProducts(_ calls: [LoweredCall]) -> [LoweredCall] {
    var result = calls.filter { $0.summedMatrix == nil }
    for call in calls {
      guard let summed = call.summedMatrix else { continue }
      // A product that needs the sums cannot wait for itself.
      let needing = Self.values(thatNeed: call.writes, among: calls)
      let product =
        isWrittenOver(summed, by: calls)
        ? nil : result.firstIndex { $0.multiplies(summed) && $0.writes.isDisjoint(with: needing) }
      if let product {
        result[product].addSums(of: call)
      } else {
        result.append(call)
      }
    }
    return result
  }

  /// `values` and all that is computed from them.
  private static func values(thatNeed values: Set<ValueID>, among calls: [LoweredCall]) -> Set<ValueID> {
    var found = values
    var count = 0
    while found.count > count {
      count = found.count
      for call in calls where !call.reads.isDisjoint(with: found) { found.formUnion(call.writes) }
    }
    return found
  }

  /// Whether the matrix is a state's that a call writes over: the product and the sums may then be of different values.
  private func isWrittenOver(_ matrix: SummedMatrix, by calls: [LoweredCall]) -> Bool {
    guard case .buffer(let root) = matrix.buffer else { return true }
    return calls.contains { $0.overwrites.contains(root) }
  }
}

/// A matrix of which a call needs the sum of all rows.
private struct SummedMatrix: Hashable {
  var buffer: LoweredCall.Binding
  var offset: Int
  var rows: Int
  var columns: Int
  var rowStride: Int
}

extension LoweredCall {
  /// The matrix whose rows the call sums, which is all that it does; nil where it does anything else.
  fileprivate var summedMatrix: SummedMatrix? {
    guard case .columns(let columns) = kernel.body, case .columns = columns.partition, columns.outer.isEmpty,
      columns.instructions.count == 1, case .load(let access) = columns.instructions[0], access.pick == nil,
      access.strides.last == 1, columns.width > 1, let result = columns.results.first, columns.results.count == 1,
      result.function == .sum, result.access.strides == [1], kernel.arguments[result.access.argument].element == .float32
    else { return nil }
    // The loops over rows have to be one.
    var rows = 1
    var rowStride: Int?
    for (extent, stride) in zip(columns.reduced, access.strides).reversed() where extent > 1 {
      if let rowStride, stride != rows * rowStride { return nil }
      rowStride = rowStride ?? stride
      rows *= extent
    }
    guard let rowStride else { return nil }
    return SummedMatrix(
      buffer: bindings[access.argument], offset: access.offset, rows: rows, columns: columns.width, rowStride: rowStride)
  }

  /// Whether the call multiplies by the matrix from the left, with its rows as columns, and sums nothing yet.
  fileprivate func multiplies(_ matrix: SummedMatrix) -> Bool {
    guard case .matmul(let matmul) = kernel.body, case .rows = matmul.partition, matmul.left.isTransposed, matmul.leftSums == nil
    else { return false }
    return matrix
      == SummedMatrix(
        buffer: bindings[matmul.left.argument], offset: matmul.left.offset, rows: matmul.k, columns: matmul.m,
        rowStride: matmul.left.rowStride)
  }

  /// Lets the product make the sums of `call` as well.
  fileprivate mutating func addSums(of call: LoweredCall) {
    guard case .matmul(var matmul) = kernel.body, case .columns(let columns) = call.kernel.body else { return }
    let result = columns.results[0].access
    kernel.arguments.append(call.kernel.arguments[result.argument])
    bindings.append(call.bindings[result.argument])
    matmul.leftSums = Access(argument: kernel.arguments.count - 1, offset: result.offset, strides: [1])
    kernel.body = .matmul(matmul)
    reads.formUnion(call.reads)
    writes.formUnion(call.writes)
    overwrites.formUnion(call.overwrites)
    provenance.formUnion(call.provenance)
    flops += call.flops
    order = max(order, call.order)
  }
}
