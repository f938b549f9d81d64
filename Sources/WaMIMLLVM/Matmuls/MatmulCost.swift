import WaMIMCompiler

/// What matrix products take by estimate, in cycles of one core: as generated code, and in OpenBLAS.
///
/// A model of what both do: tiles of multiply-adds as fast as registers and ports allow, and vectors that are copied or carried
/// through the caches. Its constants are those that come nearest to what 246 products of 1 to 3,000 rows, columns and terms and those
/// of a ViT-Ti took on a Xeon of 2023, with AVX-512, with AVX2 and on its matrix unit. There it is within a fifth of the time of each
/// set, and within a tenth of the ratio of both; of the matrix unit's within a third.
package struct MatmulCost: Sendable {
  package var generated = 0.0
  package var openBLAS = 0.0

  static func + (left: MatmulCost, right: MatmulCost) -> MatmulCost {
    MatmulCost(generated: left.generated + right.generated, openBLAS: left.openBLAS + right.openBLAS)
  }

  static func * (left: Double, right: MatmulCost) -> MatmulCost {
    MatmulCost(generated: left * right.generated, openBLAS: left * right.openBLAS)
  }
}

extension MatmulCost {
  /// What `units` units of a kernel take, cut into `tiles` calls; nil where it is no product.
  package init?(_ kernel: Kernel, units: Int, tiles: Int, processor: TargetProcessor) {
    guard case .matmul(let matmul) = kernel.body else { return nil }
    let onMatrixUnit = matmul.runsOnMatrixUnit(of: processor)
    let product: Product
    let count: Double
    switch matmul.partition {
    case .samples(let rows):
      let samples = max(1, (units + tiles / 2) / tiles)
      let isOneRun = matmul.rowsFollowEachOther(rows, kernel.arguments)
      product = Product(matmul: matmul, runs: isOneRun ? 1 : samples, rows: isOneRun ? rows * samples : rows)
      count = Double(units) / Double(samples)
    case .products(let batches):
      product = Product(matmul: matmul, runs: 1, rows: matmul.m)
      count = Double(units * batches)
    case .rows(let block):
      let (parts, part) = MatmulKernel.parts(ofBlock: block, onMatrixUnit: onMatrixUnit)
      var partial = matmul
      partial.partition = .rows(block: part)
      product = Product(matmul: partial, runs: 1, rows: part)
      count = Double(units * parts)
    }
    let cost = MatmulCost(
      generated: onMatrixUnit ? product.matrixUnitCycles() : product.vectorCycles(processor),
      openBLAS: product.openBLASCycles(processor))
    self = count * cost
  }
}

/// One product: runs of as many rows each, with one right side.
private struct Product {
  let matmul: MatmulKernel
  let runs: Int
  /// Rows of each run.
  let rows: Int

  // MARK: Generated code

  func vectorCycles(_ processor: TargetProcessor) -> Double {
    let tiling = MatmulTiling(processor: processor)
    let depths = tiling.depths(k: matmul.k, rows: matmul.expectedRows)
    let panels = tiling.panels(columns: matmul.n).map { ($0 + tiling.lanes - 1) / tiling.lanes }
    let vectors = panels.reduce(0, +)
    let heights = tiling.heights(rows: rows)
    let termCycles = panels.reduce(0) { sum, vectors in
      sum + heights.reduce(0) { $0 + tileCycles(height: $1, vectors: vectors, processor) }
    }
    let copiesLeft =
      matmul.left.isTransposed
      && tiling.copiesLeft(columns: matmul.n, depth: depths[0], columnStride: matmul.left.rowStride)
    let leftCycles = copiesLeft ? Cycles.tiledVector * Double(runs * rows * matmul.k / tiling.lanes) : 0
    let rightCycles = rightVectorCycles(tiling, tiles: runs * heights.count) * Double(matmul.k * vectors)
    return Cycles.generatedTerm * Double(runs * matmul.k) * termCycles + leftCycles + rightCycles
      + Cycles.sums * Double(depths.count * runs * rows * vectors)
  }

  /// What it takes to have a vector of the right side where `tiles` tiles read it.
  private func rightVectorCycles(_ tiling: MatmulTiling, tiles: Int) -> Double {
    if matmul.right.isTransposed { return Cycles.transposedVector }
    return tiling.copiesRight(rows: matmul.expectedRows) ? Cycles.copiedVector : Cycles.distantVector * Double(tiles)
  }

  /// What one term of the sums of a tile takes: its multiply-adds, the loads of its factors, or the time until a sum is there again.
  private func tileCycles(height: Int, vectors: Int, _ processor: TargetProcessor) -> Double {
    let instructions = Double(height * vectors) * (processor.hasFusedMultiplyAdd ? 1 : 2)
    return max(instructions / 2, Double(height + vectors) / 2, 4)
  }

  /// What tiles of 32 rows and columns take on a matrix unit, the last rows as half a tile where that will do, and the copies of both
  /// sides, of which the right one is made for each block of rows.
  func matrixUnitCycles() -> Double {
    func quotient(_ count: Int, _ divisor: Int) -> Int { (count + divisor - 1) / divisor }
    let depths = MatrixUnitTiling.depths(k: matmul.k)
    let (all, extent) = (runs * rows, MatrixUnitTiling.tileExtent)
    let columns = quotient(matmul.n, MatrixRegister.columns)
    let blocks = depths.reduce(0) { $0 + quotient($1, MatrixUnitTiling.blockTerms) }
    let products = quotient(all, MatrixRegister.rows) * columns * blocks * MatrixUnitTiles.products.count
    let rowBlocks = quotient(all, MatrixUnitTiling.rowLimit(depth: depths[0]))
    let copied = all * matmul.k + rowBlocks * matmul.n * matmul.k
    let tileRows = quotient(all, extent)
    let isWhole = matmul.n.isMultiple(of: MatrixRegister.columns) && runs == 1
    let loneTiles = quotient(matmul.n, extent) * (isWhole ? all.isMultiple(of: extent) ? 0 : 1 : tileRows)
    return Cycles.matrixProduct * Double(products) + Cycles.splitElement * Double(copied)
      + Double(depths.count) * (Cycles.matrixSums * Double(tileRows * extent * columns) + Cycles.loneTile * Double(loneTiles))
  }

  // MARK: OpenBLAS

  /// OpenBLAS takes the best instructions that it finds when it runs: those of AVX2 at least, on nearly every x86 processor.
  func openBLASCycles(_ processor: TargetProcessor) -> Double {
    let lanes = processor.architecture == .x86 ? max(processor.lanes, 8) : processor.lanes
    let (tileRows, depth) = (4, 384)
    let (vectors, terms) = ((matmul.n + lanes - 1) / lanes, matmul.k)
    let wholeRows = (rows + tileRows - 1) / tileRows * tileRows
    let copies =
      Cycles.openBLASLeftVector * Double(rows * terms) / Double(lanes)
      + (matmul.right.isTransposed ? Cycles.openBLASTransposedVector : Cycles.openBLASRightVector) * Double(terms * vectors)
    let products = Cycles.openBLASTerm * Double(wholeRows * vectors * terms) / 2
    let sums = Cycles.sums * Double(rows * vectors * ((terms + depth - 1) / depth))
    return Double(runs) * (Cycles.openBLASCall + copies + products + sums)
  }
}

/// The constants of the model, in cycles, or as factors where a number of cycles is known that would do at best.
private enum Cycles {
  /// A factor: the loops around multiply-adds.
  static let generatedTerm = 1.08
  /// A row's vector is copied to a panel.
  static let copiedVector = 5.0
  /// A vector of a panel is put together from columns.
  static let transposedVector = 12.0
  /// As much of a left side is copied to tiles.
  static let tiledVector = 7.0
  /// A vector is read where it lies, each time at a distance from the one before.
  static let distantVector = 0.7
  /// A vector of sums is read or begun, and written.
  static let sums = 4.0

  /// Two registers are multiplied on the matrix unit: 16 cycles, if there was nothing to wait for.
  static let matrixProduct = 28.0
  /// A number is copied in parts.
  static let splitElement = 0.5
  /// A vector of sums is read or begun, and written, from the unit.
  static let matrixSums = 12.0
  /// A tile stands alone.
  static let loneTile = 250.0

  /// A factor: loops, and what OpenBLAS waits for, beside two multiply-adds in each cycle.
  static let openBLASTerm = 1.25
  /// A vector of a side is copied.
  static let openBLASLeftVector = 5.0
  static let openBLASRightVector = 3.0
  static let openBLASTransposedVector = 8.0
  static let openBLASCall = 500.0
}

extension MatmulKernel {
  /// About as many rows as one product has.
  var expectedRows: Int {
    switch partition {
    case .samples(let rows): min(max(rows, MatmulKernel.panelRows), m)
    case .products: m
    case .rows(let block): block
    }
  }

  /// How many parts a block of the result's rows is taken in, and the rows of each but the last.
  ///
  /// The matrix unit takes it whole, since the right side is copied for each. Vectors read copies of the left side again and again, and
  /// those of fewer rows are deeper where they fill the second cache.
  static func parts(ofBlock block: Int, onMatrixUnit: Bool) -> (count: Int, rows: Int) {
    let count = onMatrixUnit ? 1 : (block + MatmulTiling.mostBlockRows - 1) / MatmulTiling.mostBlockRows
    return (count, (block + count - 1) / count)
  }

  /// The rows that one product has at most.
  var mostRows: Int {
    switch partition {
    case .samples, .products: m
    case .rows(let block): block
    }
  }

  /// Whether a processor computes it on its matrix unit, if it has one: where that takes less time than its vectors by estimate.
  func runsOnMatrixUnit(of processor: TargetProcessor) -> Bool {
    let product = Product(matmul: self, runs: 1, rows: expectedRows)
    return processor.hasMatrixUnit && product.matrixUnitCycles() < product.vectorCycles(processor)
  }

  /// Whether the samples' rows follow each other without a gap, `rows` rows each, in the left matrix and in the result.
  func rowsFollowEachOther(_ rows: Int, _ arguments: [KernelArgument]) -> Bool {
    [left, result].allSatisfy { arguments[$0.argument].unitStride == rows * $0.rowStride }
  }
}
