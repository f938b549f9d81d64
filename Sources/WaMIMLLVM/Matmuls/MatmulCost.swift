import WaMIMCompiler

/// What matrix products take by estimate, in cycles of one core: as generated code, and in OpenBLAS.
///
/// A model of what both do: tiles of multiply-adds as fast as registers and ports allow, and vectors that are copied or carried
/// through the caches. Its constants are those that come nearest to what 246 products of 1 to 3,000 rows, columns and terms and those
/// of a ViT-Ti took on a Xeon of 2023, with AVX-512, with AVX2 and on AMX. There it is within a fifth of the time of each
/// set, and within a tenth of the ratio of both; of AMX within a third.
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
  /// What `units` units of a kernel take, cut into `chunks` calls; nil where it is no product.
  package init?(_ kernel: Kernel, units: Int, chunks: Int, processor: TargetProcessor) {
    guard case .matmul(let matmul) = kernel.body else { return nil }
    let instructions = processor.instructionSet
    let variant = MatmulVariant(matmul, from: .generated, on: instructions)
    let product: MatmulProduct
    let count: Double
    switch matmul.partition {
    case .samples(let rows):
      let samples = max(1, (units + chunks / 2) / chunks)
      let isOneRun = matmul.rowsFollowEachOther(rows, kernel.arguments)
      product = MatmulProduct(
        matmul, runs: isOneRun ? 1 : samples, rows: isOneRun ? rows * samples : rows, expectedRows: variant.expectedRows)
      count = Double(units) / Double(samples)
    case .products(let batches):
      product = MatmulProduct(matmul, runs: 1, rows: matmul.m, expectedRows: variant.expectedRows)
      count = Double(units * batches)
    case .rows:
      product = MatmulProduct(matmul, runs: 1, rows: variant.blockRows, expectedRows: variant.expectedRows)
      count = Double(units * variant.blocks)
    }
    let generated = variant.method == .amx ? product.amxCycles() : product.vectorCycles(instructions)
    // OpenBLAS multiplies float32 alone.
    let cost = MatmulCost(
      generated: generated, openBLAS: matmul.factor == .float32 ? product.openBLASCycles(processor) : generated)
    self = count * cost
  }

  /// About as many chunks as the planner cuts `units` units of a product into.
  static func likelyChunks(_ matmul: MatmulKernel, units: Int) -> Int {
    let rows = LLVMBackend.cpuChunking.rows
    return switch matmul.partition {
    case .samples: min(max(1, units), max(1, (matmul.m + rows / 2) / rows))
    case .products, .rows: max(1, units)
    }
  }
}

/// One product: runs of as many rows each, with one right side.
struct MatmulProduct {
  private let matmul: MatmulKernel
  private let runs: Int
  /// Rows of each run.
  private let rows: Int
  /// Rows for which generated code is made.
  private let expectedRows: Int

  init(_ matmul: MatmulKernel, runs: Int, rows: Int, expectedRows: Int) {
    self.matmul = matmul
    self.runs = runs
    self.rows = rows
    self.expectedRows = expectedRows
  }

  // MARK: Generated code

  func vectorCycles(_ instructions: InstructionSet) -> Double {
    let tiling = MatmulTiling(instructions)
    let form = PanelForm(matmul, on: instructions)
    let steps = form.steps(of: matmul.k)
    let kBlocks = tiling.kBlocks(k: steps, rows: expectedRows)
    let panels = tiling.panels(columns: matmul.n).map { ($0 + tiling.lanes - 1) / tiling.lanes }
    let vectors = panels.reduce(0, +)
    let heights = tiling.heights(rows: rows)
    let termCycles = panels.reduce(0) { sum, vectors in
      sum + heights.reduce(0) { $0 + tileCycles(height: $1, vectors: vectors, instructions) }
    }
    let leftCycles =
      switch PanelLayout.leftSide(matmul.left, form, tiling, columns: matmul.n, kBlock: kBlocks[0]) {
      case .inPlace: 0.0
      case .rows, .tiles: Cycles.tiledVector * Double(runs * rows * steps / tiling.lanes)
      }
    let rightCycles = rightVectorCycles(tiling, form, tiles: runs * heights.count) * Double(steps * vectors)
    return Cycles.generatedTerm * Double(runs * steps) * termCycles + leftCycles + rightCycles
      + Cycles.sums * Double(kBlocks.count * runs * rows * vectors)
  }

  /// What it takes to have a vector of the right side where `tiles` tiles read it.
  private func rightVectorCycles(_ tiling: MatmulTiling, _ form: PanelForm, tiles: Int) -> Double {
    if matmul.right.isTransposed { return Cycles.transposedVector }
    return form != .float32 || tiling.copiesRight(rows: expectedRows) ? Cycles.copiedVector : Cycles.distantVector * Double(tiles)
  }

  /// What one term of the sums of a tile takes: its multiply-adds, the loads of its factors, or the time until a sum is there again.
  private func tileCycles(height: Int, vectors: Int, _ instructions: InstructionSet) -> Double {
    let instructions = Double(height * vectors) * (instructions.hasFusedMultiplyAdd ? 1 : 2)
    return max(instructions / 2, Double(height + vectors) / 2, 4)
  }

  /// What tiles of 32 rows and columns take on AMX, the last rows as half a tile where that will do, and the copies of both
  /// sides, of which the right one is made for each block of rows.
  func amxCycles() -> Double {
    func quotient(_ count: Int, _ divisor: Int) -> Int { (count + divisor - 1) / divisor }
    let tiling = AMXTiling(factor: matmul.factor)
    let kBlocks = AMXTiling.kBlocks(k: matmul.k)
    let (all, extent) = (runs * rows, AMXTiling.tileExtent)
    let columns = quotient(matmul.n, AMXRegister.columns)
    let blocks = kBlocks.reduce(0) { $0 + quotient($1, AMXTiling.blockTerms) }
    let products = quotient(all, AMXRegister.rows) * columns * blocks * tiling.products.count
    let rowBlocks = quotient(all, tiling.rowLimit(kBlock: kBlocks[0]))
    let copied = all * matmul.k + rowBlocks * matmul.n * matmul.k
    let tileRows = quotient(all, extent)
    let isWhole = matmul.n.isMultiple(of: AMXRegister.columns) && runs == 1
    let loneTiles = quotient(matmul.n, extent) * (isWhole ? all.isMultiple(of: extent) ? 0 : 1 : tileRows)
    return Cycles.matrixProduct * Double(products) + Cycles.split * Double(copied * tiling.splits)
      + Double(kBlocks.count) * (Cycles.matrixSums * Double(tileRows * extent * columns) + Cycles.loneTile * Double(loneTiles))
  }

  // MARK: OpenBLAS

  /// OpenBLAS takes the best instructions that it finds when it runs: those of AVX2 at least, on nearly every x86 processor.
  func openBLASCycles(_ processor: TargetProcessor) -> Double {
    let ours = processor.instructionSet.lanes
    let lanes = processor.architecture == .x86 ? max(ours, 8) : ours
    let (tileRows, kBlock) = (4, 384)
    let (vectors, terms) = ((matmul.n + lanes - 1) / lanes, matmul.k)
    let wholeRows = (rows + tileRows - 1) / tileRows * tileRows
    let copies =
      Cycles.openBLASLeftVector * Double(rows * terms) / Double(lanes)
      + (matmul.right.isTransposed ? Cycles.openBLASTransposedVector : Cycles.openBLASRightVector) * Double(terms * vectors)
    let products = Cycles.openBLASTerm * Double(wholeRows * vectors * terms) / 2
    let sums = Cycles.sums * Double(rows * vectors * ((terms + kBlock - 1) / kBlock))
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

  /// Two registers are multiplied on AMX: 16 cycles, if there was nothing to wait for.
  static let matrixProduct = 28.0
  /// One split of a number is copied.
  static let split = 0.5 / 3
  /// A vector of sums is read or begun, and written, from AMX.
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
  /// Whether the samples' rows follow each other without a gap, `rows` rows each, in the left matrix and in the result.
  func rowsFollowEachOther(_ rows: Int, _ arguments: [KernelArgument]) -> Bool {
    [left, result].allSatisfy { arguments[$0.argument].unitStride == rows * $0.rowStride }
  }
}
