import WaMIMCompiler
import WaMIMTypes

/// One or more products of equal size: how a row of all of them is found.
struct ProductShape {
  /// Rows and columns of one product, and how many products there are.
  var rows: Int
  var columns: Int
  var products: Int
  /// Rows of a unit, where the rows of several units make one product; nil where rows are just rows.
  var unitRows: Int?
  /// Products of a unit.
  var batches: Int
}

extension ProductShape {
  /// The shape of a kernel's product; nil where it has none.
  init?(_ kernel: Kernel, units: Int) {
    guard case .matmul(let matmul) = kernel.body else { return nil }
    switch matmul.partition {
    case .samples(let rows):
      let moves = kernel.arguments[matmul.right.argument].unitStride > 0
      self =
        moves
        ? ProductShape(rows: rows, columns: matmul.n, products: units, batches: 1)
        : ProductShape(rows: units * rows, columns: matmul.n, products: 1, unitRows: rows, batches: 1)
    case .products(let batches):
      self = ProductShape(rows: matmul.m, columns: matmul.n, products: units * batches, batches: batches)
    case .rows:
      self = ProductShape(rows: matmul.m, columns: matmul.n, products: 1, batches: 1)
    }
  }
}

extension KernelWriter {
  /// The product with an epilogue in registers, as far as that needs no whole rows, and then what does.
  func functions(of matmul: MatmulKernel) -> [CUDAFunction] {
    guard let shape = ProductShape(kernel, units: units) else { return [] }
    guard let epilogue = matmul.epilogue else { return [product(matmul, shape, epilogue: nil)] }
    if isInRegisters(epilogue, of: matmul, shape) { return [product(matmul, shape, epilogue: epilogue)] }
    if let split = EpilogueSplit(epilogue, of: matmul, in: kernel), isInRegisters(split.elements, of: matmul, shape) {
      return [product(matmul, shape, epilogue: split.elements), function(of: keepingRowsApart(split.rows), purpose: "epilogue")]
    }
    return [product(matmul, shape, epilogue: nil), function(of: keepingRowsApart(epilogue), purpose: "epilogue")]
  }

  // MARK: The epilogue

  /// Whether each element of the epilogue reads of the product that same element alone.
  private func isInRegisters(_ epilogue: RowKernel, of matmul: MatmulKernel, _ shape: ProductShape) -> Bool {
    guard epilogue.isElementwise, epilogue.width == matmul.n, epilogue.rowCount == shape.rows, shape.products == 1 else {
      return false
    }
    if let unitRows = shape.unitRows, epilogue.rowsInUnit != unitRows { return false }
    let stages = epilogue.stages
    func isOfResult(_ access: Access) -> Bool { access.argument == matmul.result.argument }
    // Loops that read the product's place are given the product, so nothing may be written there before the last of them.
    let written = stages.firstIndex { $0.stores.contains { isOfResult($0.access) } } ?? stages.count
    let lastRead = stages.lastIndex { $0.loads.contains(where: isOfResult) } ?? 0
    return lastRead <= written && stages.flatMap(\.accesses).filter(isOfResult).allSatisfy { isProduct($0, epilogue, matmul) }
  }

  /// Whether an access of the epilogue's means the element of the product in the same row and column.
  private func isProduct(_ access: Access, _ epilogue: RowKernel, _ matmul: MatmulKernel) -> Bool {
    guard access.argument == matmul.result.argument, access.pick == nil, access.offset == matmul.result.offset,
      access.strides.last == 1
    else { return false }
    let unitStride = kernel.arguments[matmul.result.argument].unitStride
    var stride = matmul.result.rowStride
    for (loop, extent) in epilogue.outer.enumerated().reversed() {
      // The first loop moves with the unit.
      if loop == 0, case .samples = matmul.partition { stride = unitStride }
      if extent > 1, access.strides[loop] != stride { return false }
      stride *= extent
    }
    return true
  }

  // MARK: The product

  private func product(_ matmul: MatmulKernel, _ shape: ProductShape, epilogue: RowKernel?) -> CUDAFunction {
    let tile = tile(of: matmul, shape)
    let usesTensorCores = matmul.factor == .bfloat16
    let (down, across) = (shape.rows.dividedUp(by: tile.rows), shape.columns.dividedUp(by: tile.columns))
    let blocks = down * across * shape.products
    func writePlace(to source: inout SourceText) {
      source.line("const int first_row = block / \(across) % \(down) * \(tile.rows);")
      source.line("const int first_column = block % \(across) * \(tile.columns);")
      if shape.products > 1 { source.line("const int product = block / \(down * across);") }
    }
    if tile.warpGroups > 0, let sides = tiledOperands(matmul, tile, shape) {
      var result = groupProduct(matmul, shape, tile, sides, epilogue: epilogue, blocks: blocks, writePlace)
      result.hasEpilogue = epilogue != nil
      return result
    }
    var result = function("matmul", blocks: blocks, usesTensorCores: usesTensorCores) { source in
      writePlace(to: &source)
      if usesTensorCores {
        writeTensorProduct(matmul, shape, tile, epilogue, to: &source)
      } else {
        writeProduct(matmul, shape, tile, epilogue, to: &source)
      }
    }
    result.hasEpilogue = epilogue != nil
    return result
  }

  /// The tile with which the product ends first.
  private func tile(of matmul: MatmulKernel, _ shape: ProductShape) -> MatmulTile {
    var tiles = matmul.factor == .bfloat16 ? MatmulTile.bfloat16 : MatmulTile.float32
    // Whether the copy engine can take the sides does not depend on the tile.
    if tiledOperands(matmul, MatmulTile.hopper[0], shape) != nil {
      if let warpGroupTile { return MatmulTile.hopper[warpGroupTile] }
      for index in tiles.indices { tiles[index].efficiency *= MatmulTile.warpShare }
      tiles += MatmulTile.hopper
    }
    return MatmulTile.best(
      of: tiles, rows: shape.rows, columns: shape.columns, products: copies * shape.products,
      processors: architecture.processors)
  }

  /// Writes a product of float32 numbers: each thread has a tile of the block's tile in registers.
  private func writeProduct(
    _ matmul: MatmulKernel, _ shape: ProductShape, _ tile: MatmulTile, _ epilogue: RowKernel?, to source: inout SourceText
  ) {
    source.share("float", "left", [tile.depth, tile.rows + 4])
    source.share("float", "right", [tile.depth, tile.columns + 4])
    source.line("const int y = threadIdx.x / \(MatmulTile.side), x = threadIdx.x % \(MatmulTile.side);")
    source.line("float sums[\(tile.threadRows)][\(tile.threadColumns)] = {};")
    if matmul.leftSums != nil {
      source.line("// The first blocks of a row sum its left side.")
      source.line("const bool sums_rows = first_column == 0 && x == 0;")
      source.line("float row_sums[\(tile.threadRows)] = {};")
    }
    source.loop("first", below: "\(matmul.k)", by: "\(tile.depth)") { source in
      writeLoad("left", matmul, shape, tile, to: &source)
      writeLoad("right", matmul, shape, tile, to: &source)
      source.line("block_barrier();")
      writeTerms(tile, sumsRows: matmul.leftSums != nil, to: &source)
      source.line("block_barrier();")
    }
    writeRowSums(
      matmul, shape, if: "sums_rows", count: tile.threadRows, row: Self.spread("y", "i", tile.threadRows), sum: "row_sums[i]",
      to: &source)
    let share = ThreadShare(
      rows: tile.threadRows, columns: tile.threadColumns, row: Self.spread("y", "i", tile.threadRows),
      column: Self.spread("x", "j", tile.threadColumns), sum: "sums[i][j]")
    writeResult(matmul, shape, share, epilogue, to: &source)
  }

  /// Writes the copying of one side's tile to shared memory; what is outside of the matrix is zero.
  private func writeLoad(
    _ side: String, _ matmul: MatmulKernel, _ shape: ProductShape, _ tile: MatmulTile, to source: inout SourceText
  ) {
    let isLeft = side == "left"
    let matrix = isLeft ? matmul.left : matmul.right
    let (extent, limit) = isLeft ? (tile.rows, shape.rows) : (tile.columns, shape.columns)
    // Neighbouring threads read neighbouring elements.
    let termsAreNeighbours = isLeft != matrix.isTransposed
    source.line("#pragma unroll")
    source.loop("n", below: "\(extent * tile.depth / Self.threads)") { source in
      source.line("const int e = threadIdx.x + n * \(Self.threads);")
      source.line("const int at = \(termsAreNeighbours ? "e / \(tile.depth)" : "e % \(extent)");")
      source.line("const int k = \(termsAreNeighbours ? "e % \(tile.depth)" : "e / \(extent)");")
      source.line("const int \(isLeft ? "row" : "column") = first_\(isLeft ? "row" : "column") + at;")
      let (row, column) = isLeft ? ("row", "(first + k)") : ("(first + k)", "column")
      let index = position(matrix, row: row, column: column, shape, hasUnits: isLeft)
      let value = number(matrix.argument, "a\(matrix.argument)[\(index)]")
      source.line("\(side)[k][at] = \(isLeft ? "row" : "column") < \(limit) && first + k < \(matmul.k) ? \(value) : 0.0f;")
    }
  }

  /// Writes the products of what lies in shared memory.
  private func writeTerms(_ tile: MatmulTile, sumsRows: Bool, to source: inout SourceText) {
    source.line("#pragma unroll")
    source.loop("k", below: "\(tile.depth)") { source in
      source.line("float l[\(tile.threadRows)], r[\(tile.threadColumns)];")
      source.line("#pragma unroll")
      source.line("for (int i = 0; i < \(tile.threadRows); ++i) l[i] = left[k][\(Self.spread("y", "i", tile.threadRows))];")
      source.line("#pragma unroll")
      source.line("for (int j = 0; j < \(tile.threadColumns); ++j) r[j] = right[k][\(Self.spread("x", "j", tile.threadColumns))];")
      if sumsRows {
        source.line("#pragma unroll")
        source.line("for (int i = 0; i < \(tile.threadRows); ++i) row_sums[i] += l[i];")
      }
      source.line("#pragma unroll")
      source.line("for (int i = 0; i < \(tile.threadRows); ++i)")
      source.line("#pragma unroll")
      source.line("  for (int j = 0; j < \(tile.threadColumns); ++j) sums[i][j] = multiply_add(l[i], r[j], sums[i][j]);")
    }
  }

  /// Where element `index` of a thread's `count` lies along a side of the tile: runs of up to four neighbours.
  private static func spread(_ thread: String, _ index: String, _ count: Int) -> String {
    let run = min(count, 4)
    let inRun = "\(thread) * \(run) + \(index) % \(run)"
    return count > run ? "\(index) / \(run) * \(run * MatmulTile.side) + \(inRun)" : inRun
  }

  /// Writes the storing of the left side's sums, of which those threads for which `condition` holds have `count` each.
  ///
  /// - Parameters:
  ///   - row: The row in the tile of sum `i`.
  ///   - sum: The sum.
  func writeRowSums(
    _ matmul: MatmulKernel, _ shape: ProductShape, if condition: String, count: Int, row: String, sum: String,
    to source: inout SourceText
  ) {
    guard let target = matmul.leftSums else { return }
    source.block("if (\(condition))") { source in
      source.line("#pragma unroll")
      source.loop("i", below: "\(count)") { source in
        source.line("const int row = first_row + \(row);")
        source.line("if (row < \(shape.rows)) \(store(sum, target, ["row"]))")
      }
    }
  }

  /// Writes what becomes of the sums in registers.
  func writeResult(
    _ matmul: MatmulKernel, _ shape: ProductShape, _ share: ThreadShare, _ epilogue: RowKernel?, to source: inout SourceText
  ) {
    source.line("#pragma unroll")
    source.loop("i", below: "\(share.rows)") { source in
      source.line("const int row = first_row + \(share.row);")
      source.line("if (row >= \(shape.rows)) continue;")
      if let epilogue { writeIndices(epilogue.loopNames, of: "row", extents: epilogue.outer, to: &source) }
      source.line("#pragma unroll")
      source.loop("j", below: "\(share.columns)") { source in
        source.line("const int c = first_column + \(share.column);")
        source.line("if (c >= \(shape.columns)) continue;")
        let at = position(matmul.result, row: "row", column: "c", shape, hasUnits: true)
        let target = "a\(matmul.result.argument)[\(at)]"
        let sum = matmul.accumulates ? "\(number(matmul.result.argument, target)) + \(share.sum)" : share.sum
        source.line("const float sum = \(sum);")
        if epilogue == nil || matmul.keepsProduct {
          source.line("\(target) = \(converted("sum", for: matmul.result.argument));")
        }
        guard let epilogue else { return }
        let product = converted("sum", for: matmul.result.argument)
        let read = product == "sum" ? product : "number(\(product))"
        for stage in epilogue.stages {
          source.block("") {
            writeElement(stage, epilogue.loopNames + ["c"], to: &$0) { access in
              access.argument == matmul.result.argument ? read : nil
            }
          }
        }
      }
    }
  }

  /// The index of an element of a matrix, as the product takes it.
  ///
  /// - Parameter hasUnits: Whether rows of several units follow each other in it.
  func position(
    _ matrix: MatmulKernel.Matrix, row: String, column: String, _ shape: ProductShape, hasUnits: Bool
  ) -> String {
    let unitStride = kernel.arguments[matrix.argument].unitStride
    let (lyingRow, lyingColumn) = matrix.isTransposed ? (column, row) : (row, column)
    var terms: [String] = matrix.offset == 0 ? [] : ["\(matrix.offset)"]
    if shape.products > 1 {
      let unit = shape.batches == 1 ? "product" : "product / \(shape.batches)"
      if unitStride > 0 { terms.append("\(unit) * \(unitStride)") }
      if shape.batches > 1, matrix.batchStride > 0 { terms.append("product % \(shape.batches) * \(matrix.batchStride)") }
    }
    // Units that follow each other without a gap are one matrix.
    if hasUnits, let rows = shape.unitRows, unitStride != rows * matrix.rowStride || matrix.isTransposed {
      terms.append("\(row) / \(rows) * \(unitStride)")
      terms.append(
        matrix.isTransposed
          ? "\(column) * \(matrix.rowStride) + \(row) % \(rows)" : "\(row) % \(rows) * \(matrix.rowStride) + \(column)")
    } else {
      terms.append("\(lyingRow) * \(matrix.rowStride) + \(lyingColumn)")
    }
    return terms.joined(separator: " + ")
  }
}
