import WaMIMCompiler

extension KernelEmitter {
  /// Emits the calls of the matrix product and the epilogue over the same units.
  func emit(_ matmul: MatmulKernel) {
    switch matmul.partition {
    case .samples(let rows): emitSamples(matmul, rows: rows)
    case .products(let batches): emitProducts(matmul, batches: batches)
    case .rows(let block): return emitBlocks(matmul, block: block)
    }
    if let epilogue = matmul.epilogue { emit(epilogue, over: .units) }
  }

  /// One product for all samples where their rows follow each other, one for each sample elsewhere.
  private func emitSamples(_ matmul: MatmulKernel, rows: Int) {
    let followEachOther = [matmul.left, matmul.result].allSatisfy { matrix in
      kernel.arguments[matrix.argument].unitStride == rows * matrix.elementsPerRow
    }
    guard followEachOther && kernel.arguments[matmul.right.argument].unitStride == 0 else {
      return forEachUnit { unit in
        emitProduct(matmul, rows: builder.index(rows)) { movedByUnit($0, unit) }
      }
    }
    emitProduct(matmul, rows: builder.multiplyIntegers(units, builder.index(rows))) { matrix in
      address(matrix.argument, offset: matrix.offset)
    }
  }

  private func emitProducts(_ matmul: MatmulKernel, batches: Int) {
    forEachUnit { unit in
      builder.loop(count: batches) { batch, _ in
        emitProduct(matmul, rows: builder.index(matmul.m)) { matrix in
          let offset = builder.multiplyIntegers(batch, builder.index(matrix.batchStride))
          return builder.advance(movedByUnit(matrix, unit), by: offset)
        }
        return []
      }
    }
  }

  /// The rows of the result that the call's blocks cover; the epilogue's first loop is over those rows.
  private func emitBlocks(_ matmul: MatmulKernel, block: Int) {
    let size = builder.index(block)
    let start = builder.multiplyIntegers(begin, size)
    let end = builder.minimumInteger(builder.multiplyIntegers(end, size), builder.index(matmul.m))
    emitProduct(matmul, rows: builder.subtractIntegers(end, start)) { matrix in
      let place = address(matrix.argument, offset: matrix.offset)
      guard matrix != matmul.right else { return place }
      return builder.advance(place, by: builder.multiplyIntegers(start, builder.index(matrix.elementsPerRow)))
    }
    if let epilogue = matmul.epilogue { emit(epilogue, over: .range(from: start, to: end)) }
  }

  private func movedByUnit(_ matrix: MatmulKernel.Matrix, _ unit: Value) -> Address {
    let stride = builder.index(kernel.arguments[matrix.argument].unitStride)
    return builder.advance(address(matrix.argument, offset: matrix.offset), by: builder.multiplyIntegers(unit, stride))
  }

  /// Calls `cblas_sgemm` for `rows` rows of the result.
  private func emitProduct(_ matmul: MatmulKernel, rows: Value, place: (MatmulKernel.Matrix) -> Address) {
    let m = builder.int32(fromIndex: rows)
    let (n, k) = (builder.integer(Int32(matmul.n)), builder.integer(Int32(matmul.k)))
    // A transposed result is the product of the transposed matrices, in the other order.
    let swapsSides = matmul.result.isTransposed
    let (first, second) = swapsSides ? (matmul.right, matmul.left) : (matmul.left, matmul.right)
    let operands: [Value] =
      [builder.integer(SGEMM.rowMajor), transposition(first, swapsSides), transposition(second, swapsSides)]
      + (swapsSides ? [n, m, k] : [m, n, k]) + [builder.constant(1)]
      + [builder.pointer(place(first)), leading(first), builder.pointer(place(second)), leading(second)]
      + [builder.constant(matmul.accumulates ? 1 : 0), builder.pointer(place(matmul.result)), leading(matmul.result)]
    builder.call(SGEMM.declare(in: builder), operands)
  }

  private func transposition(_ matrix: MatmulKernel.Matrix, _ swapsSides: Bool) -> Value {
    builder.integer(matrix.isTransposed != swapsSides ? SGEMM.transposed : SGEMM.asItLies)
  }

  private func leading(_ matrix: MatmulKernel.Matrix) -> Value { builder.integer(Int32(matrix.rowStride)) }
}

extension MatmulKernel.Matrix {
  /// The elements from one row of the product's operand, or of its result, to the next.
  fileprivate var elementsPerRow: Int { isTransposed ? 1 : rowStride }
}

/// The matrix product of the BLAS that programs are linked with.
private enum SGEMM {
  static let rowMajor: Int32 = 101
  static let asItLies: Int32 = 111
  static let transposed: Int32 = 112

  static func declare(in builder: IRBuilder) -> Function {
    let (int, float, pointer) = (builder.int32, builder.float, builder.floatPointer)
    return builder.declare(
      "cblas_sgemm",
      [int, int, int, int, int, int, float, pointer, int, pointer, int, float, pointer, int], returning: builder.void)
  }
}
