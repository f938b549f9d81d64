import WaMIMCompiler

extension KernelEmitter {
  /// Emits the matrix product and the epilogue over the same units.
  func emit(_ matmul: MatmulKernel, _ variant: MatmulVariant) {
    switch matmul.partition {
    case .samples(let rows): emitSamples(matmul, variant, rows: rows)
    case .products(let batches): emitProducts(matmul, variant, batches: batches)
    case .rows(let block): emitBlocks(matmul, variant, block: block)
    }
  }

  /// One product for all samples; their rows are one run where they follow each other, and one for each sample elsewhere.
  private func emitSamples(_ matmul: MatmulKernel, _ variant: MatmulVariant, rows: Int) {
    let (left, result) = (matmul.left, matmul.result)
    let strides = [left, result].map { kernel.arguments[$0.argument].unitStride }
    let all = builder.multiplyIntegers(units, builder.index(rows))
    emit(
      matmul, variant, over: .units,
      rows: matmul.rowsFollowEachOther(rows, kernel.arguments)
        ? .init(runs: builder.index(1), rowsPerRun: all)
        : .init(runs: units, rowsPerRun: builder.index(rows), leftStride: strides[0], resultStride: strides[1])
    ) { view($0) }
  }

  private func emitProducts(_ matmul: MatmulKernel, _ variant: MatmulVariant, batches: Int) {
    var product = matmul
    product.epilogue = nil
    forEachUnit { unit in
      builder.loop(count: batches) { batch, _ in
        let rows = ProductRows(runs: builder.index(1), rowsPerRun: builder.index(matmul.m))
        emit(product, variant, over: .units, rows: rows) { matrix in
          let moved = builder.multiplyIntegers(unit, builder.index(kernel.arguments[matrix.argument].unitStride))
          let offset = builder.multiplyIntegers(batch, builder.index(matrix.batchStride))
          return view(matrix, movedBy: builder.addIntegers(moved, offset))
        }
        return []
      }
    }
    if let epilogue = matmul.epilogue { emit(epilogue, over: .units) }
  }

  /// The rows of the result that the call's blocks cover, as many at a time as do well; the epilogue's first loop is over those rows.
  private func emitBlocks(_ matmul: MatmulKernel, _ variant: MatmulVariant, block: Int) {
    let rowsAtATime = variant.blockRows
    forEachUnit { unit in
      let first = builder.multiplyIntegers(builder.addIntegers(begin, unit), builder.index(block))
      builder.loop(count: variant.blocks, step: rowsAtATime) { offset, _ in
        let limit = builder.minimumInteger(builder.addIntegers(first, builder.index(block)), builder.index(matmul.m))
        let start = builder.minimumInteger(builder.addIntegers(first, offset), limit)
        let end = builder.minimumInteger(builder.addIntegers(start, builder.index(rowsAtATime)), limit)
        let rows = ProductRows(runs: builder.index(1), rowsPerRun: builder.subtractIntegers(end, start))
        emit(matmul, variant, over: .range(from: start, to: end), rows: rows) { matrix in
          // Rows in the workspace overwrite those before.
          guard matrix != matmul.right, matrix.argument != matmul.workspace else { return view(matrix) }
          return view(matrix, movedBy: builder.multiplyIntegers(start, builder.index(view(matrix).rowStride)))
        }
        return []
      }
    }
  }

  /// A matrix as the product takes it.
  private func view(_ matrix: MatmulKernel.Matrix, movedBy elements: Value? = nil) -> MatrixView {
    let start = address(matrix.argument, offset: matrix.offset)
    let view = MatrixView(address: elements.map { builder.advance(start, by: $0) } ?? start, rowStride: matrix.rowStride)
    return matrix.isTransposed ? view.transposed : view
  }

  /// Emits a product of `rows`, and what follows it over the units or the range `first`.
  private func emit(
    _ matmul: MatmulKernel, _ variant: MatmulVariant, over first: FirstLoop, rows: ProductRows,
    view: (MatmulKernel.Matrix) -> MatrixView
  ) {
    let (left, right, result) = (view(matmul.left), view(matmul.right), view(matmul.result))
    guard variant.method != .openBLAS else {
      emitLibraryCalls(matmul, rows, left: left, right: right, result: result)
      if let epilogue = matmul.epilogue { emit(epilogue, over: first) }
      return
    }
    let epilogue = matmul.epilogue
    let runsByColumns = epilogue?.runsByColumns(of: matmul) ?? false
    func finish(_ column: Value, _ count: Int) {
      if runsByColumns, let epilogue { emit(epilogue, over: first, columns: (column, count)) }
    }
    if variant.method == .amx {
      AMXProduct(matmul, variant, in: self).emit(rows, left: left, right: right, result: result, epilogue: finish)
    } else {
      PanelProduct(matmul, variant, in: self)
        .emit(rows, left: left, right: right, result: result, epilogue: finish)
    }
    if !runsByColumns, let epilogue { emit(epilogue, over: first) }
  }

  /// Calls `cblas_sgemm` for each run of rows.
  private func emitLibraryCalls(
    _ matmul: MatmulKernel, _ rows: ProductRows, left: MatrixView, right: MatrixView, result: MatrixView
  ) {
    builder.loop(from: builder.index(0), to: rows.runs) { run, _ in
      func address(_ matrix: MatrixView, _ stride: Int) -> Value {
        builder.pointer(builder.advance(matrix.address, by: builder.multiplyIntegers(run, builder.index(stride))))
      }
      func extent(_ count: Int) -> Value { builder.integer(Int32(count)) }
      func transposition(_ matrix: MatmulKernel.Matrix) -> Value {
        builder.integer(matrix.isTransposed ? SGEMM.transposed : SGEMM.asItLies)
      }
      let operands: [Value] =
        [builder.integer(SGEMM.rowMajor), transposition(matmul.left), transposition(matmul.right)]
        + [builder.int32(fromIndex: rows.rowsPerRun), extent(matmul.n), extent(matmul.k), builder.constant(1)]
        + [address(left, rows.leftStride), extent(matmul.left.rowStride), address(right, 0), extent(matmul.right.rowStride)]
        + [builder.constant(matmul.accumulates ? 1 : 0), address(result, rows.resultStride), extent(matmul.result.rowStride)]
      builder.call(SGEMM.declare(in: builder), operands)
      return []
    }
  }
}

extension RowKernel {
  /// Whether it runs on a few columns of the product as soon as those are finished: elementwise work on rows as the product's.
  ///
  /// What follows a block of rows brings arrays of its own from memory, which come faster as long rows.
  fileprivate func runsByColumns(of matmul: MatmulKernel) -> Bool {
    guard case .samples = matmul.partition else { return false }
    return width == matmul.n && width > 1
      && stages.allSatisfy { stage in
        stage.extent == .elements && stage.results.isEmpty
          && stage.accesses.allSatisfy { access in
            // Moving the product's columns moves what is beside them by one element or not at all.
            (access.strides.last == 1 || access.strides.last == 0 && access.argument != matmul.result.argument)
              && (access.pick?.strides.last ?? 0) == 0
          }
      }
  }
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
