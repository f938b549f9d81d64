import TestSupport
import WaMIMCompiler
import WaMIMGraph

// Products of random sizes and layouts.

extension RandomKernels {
  /// A product of matrices that lie one way or the other, with an epilogue over its rows or without.
  package mutating func matmul() -> KernelCase {
    // Small ones meet every remainder of tiles and vectors, wide and deep ones several groups of panels and kBlocks.
    let m = generator.int(1...40)
    let n = generator.int(1...(generator.chance(0.2) ? 450 : 40))
    let k = generator.int(1...(generator.chance(0.15) ? 2500 : 40))
    factor = roundsSome && generator.chance(0.5) ? .bfloat16 : .float32
    switch generator.int(0...3) {
    case 0: return samples(rows: generator.int(1...(generator.chance(0.5) ? 7 : 40)), n: n, k: k)
    case 1: return piecesOfSamples(rows: generator.int(1...20), n: n, k: k)
    case 2: return products(m: m, n: n, k: k)
    default: return blocks(m: m, n: n, k: k)
    }
  }

  /// A product of bf16 numbers whose sides lie as a tensor copy engine takes them.
  package mutating func alignedMatmul() -> KernelCase {
    (factor, alignment) = (.bfloat16, 8)
    defer { alignment = 1 }
    let (m, n, k) = (8 * generator.int(1...25), 8 * generator.int(1...36), 8 * generator.int(1...60))
    return switch generator.int(0...2) {
    case 0: samples(rows: generator.int(1...70), n: n, k: k)
    case 1: products(m: m, n: n, k: k)
    default: blocks(m: m, n: n, k: k)
    }
  }

  /// A product that is mostly worth AMX: with whole tiles and others, several groups, kBlocks and blocks of rows.
  package mutating func largeMatmul() -> KernelCase {
    let widths = [96, 97, 128, 208, 391]
    factor = roundsSome && generator.chance(0.5) ? .bfloat16 : .float32
    let (m, n) = (generator.chance(0.2) ? generator.int(48...99) : generator.int(100...200), widths[generator.int(0...4)])
    // Half of them have whole blocks of terms, of which tiles copy the next panel.
    let (depth, block) = (generator.int(128...(generator.chance(0.3) ? 800 : 250)), generator.chance(0.5) ? 32 : 1)
    let k = depth / block * block
    switch generator.int(0...5) {
    case 0: return samples(rows: m, n: n, k: k)
    case 1: return piecesOfSamples(rows: m, n: n, k: k)
    case 2: return products(m: m, n: n, k: k)
    case 3: return blocks(m: 2 * m, n: n, k: k, block: m)
    case 4: return blocks(m: generator.int(400...600), n: n, k: 128, block: generator.int(200...400))
    default:
      // More rows than are copied at a time.
      let rows = generator.int(300...600)
      let k = block == 1 ? 380 : 384
      return generator.chance(0.5) ? samples(rows: rows, n: n, k: k) : piecesOfSamples(rows: rows, n: n, k: k)
    }
  }

  /// A new matrix of `rows` by `columns` as the product takes it.
  private mutating func matrix(
    _ rows: Int, _ columns: Int, access: KernelArgument.Access, moves: Bool, batches: Int = 1, isTransposed: Bool
  ) -> MatmulKernel.Matrix {
    let (lyingRows, lyingColumns) = isTransposed ? (columns, rows) : (rows, columns)
    var (rowStride, offset) = (lyingColumns + generator.int(0...2), generator.int(0...3))
    let isSide = access == .read && factor == .bfloat16
    if isSide, generator.chance(0.8) {
      // Pairs lie at even addresses.
      (rowStride, offset) = ((rowStride + 1) / 2 * 2, offset / 2 * 2)
    }
    if isSide { (rowStride, offset) = ((rowStride + alignment - 1) / alignment * alignment, offset / alignment * alignment) }
    var count = offset + batches * lyingRows * rowStride
    if isSide { count = (count + alignment - 1) / alignment * alignment }
    let argument = add(access, count: isSide ? (count + 1) / 2 * 2 : count, moves: moves, element: isSide ? factor : .float32)
    return .init(
      argument: argument, offset: offset, rowStride: rowStride, isTransposed: isTransposed, batchStride: lyingRows * rowStride)
  }

  /// A new argument for what the variant of a product keeps.
  private mutating func workspace() -> Int { add(.workspace, count: 0, moves: false) }

  /// Samples whose rows follow each other exactly, as in one matrix of all of them.
  private mutating func samples(rows: Int, n: Int, k: Int) -> KernelCase {
    units = generator.int(1...5)
    let argument = add(.read, count: rows * k, moves: true, element: factor)
    let left = MatmulKernel.Matrix(argument: argument, offset: 0, rowStride: k, isTransposed: false)
    let right = matrix(k, n, access: .read, moves: false, isTransposed: generator.chance(0.5))
    let result = MatmulKernel.Matrix(
      argument: add(.write, count: rows * n, moves: true), offset: 0, rowStride: n, isTransposed: false)
    var kernel = MatmulKernel(
      partition: .samples(rows: rows), m: units * rows, n: n, k: k, factor: factor, left: left, right: right, result: result,
      workspace: workspace())
    if generator.chance(0.7) {
      let product = Access(argument: result.argument, offset: 0, strides: [rows * n, n, 1])
      kernel.epilogue = rowKernel(outer: [units, rows], width: n, loading: [product], isElementwise: generator.chance(0.5))
    }
    return finish(.matmul(kernel), tolerance: 2e-5)
  }

  /// Samples of which the product takes some rows, and is put among other rows.
  private mutating func piecesOfSamples(rows: Int, n: Int, k: Int) -> KernelCase {
    units = generator.int(1...5)
    let left = matrix(rows, k, access: .read, moves: true, isTransposed: false)
    let right = matrix(k, n, access: .read, moves: false, isTransposed: generator.chance(0.5))
    let result = matrix(rows, n, access: .update, moves: true, isTransposed: false)
    let kernel = MatmulKernel(
      partition: .samples(rows: rows), m: units * rows, n: n, k: k, factor: factor, left: left, right: right, result: result,
      workspace: workspace())
    return finish(.matmul(kernel), tolerance: 2e-5)
  }

  /// An epilogue over `count` rows of arrays that do not move with the unit.
  private mutating func wholeRows(_ count: Int, width: Int, of result: MatmulKernel.Matrix) -> RowKernel {
    let (blocks, first) = (units, arguments.count)
    units = count
    let product = Access(argument: result.argument, offset: result.offset, strides: [result.rowStride, 1])
    let kernel = rowKernel(
      outer: [count], width: width, loading: [product], isElementwise: generator.chance(0.5), sumsRows: false)
    units = blocks
    for argument in first..<arguments.count where arguments[argument].unitStride > 0 {
      arguments[argument].unitStride = 0
      arguments[argument].count *= count
    }
    return kernel
  }

  private mutating func products(m: Int, n: Int, k: Int) -> KernelCase {
    units = generator.int(1...3)
    let batches = generator.int(1...3)
    let left = matrix(m, k, access: .read, moves: true, batches: batches, isTransposed: generator.chance(0.5))
    let right = matrix(k, n, access: .read, moves: generator.chance(0.5), batches: batches, isTransposed: generator.chance(0.5))
    let result = matrix(m, n, access: .update, moves: true, batches: batches, isTransposed: false)
    let kernel = MatmulKernel(
      partition: .products(batches: batches), m: m, n: n, k: k, factor: factor, left: left, right: right, result: result,
      accumulates: generator.chance(0.3), workspace: workspace())
    return finish(.matmul(kernel), tolerance: 2e-5)
  }

  /// Blocks of rows of whole arrays, with an epilogue over the rows of each block or without; the product may lie in the workspace.
  private mutating func blocks(m: Int, n: Int, k: Int, block: Int? = nil) -> KernelCase {
    let block = block ?? generator.int(1...m)
    units = (m + block - 1) / block
    let left = matrix(m, k, access: .read, moves: false, isTransposed: generator.chance(0.5))
    let right = matrix(k, n, access: .read, moves: false, isTransposed: generator.chance(0.5))
    let result = matrix(m, n, access: .update, moves: false, isTransposed: false)
    var kernel = MatmulKernel(
      partition: .rows(block: block), m: m, n: n, k: k, factor: factor, left: left, right: right, result: result,
      accumulates: generator.chance(0.5), workspace: workspace())
    guard generator.chance(0.7) else { return finish(.matmul(kernel), tolerance: 2e-5) }
    if generator.chance(0.5) {
      let count = arguments[kernel.workspace].count
      (kernel.accumulates, kernel.keepsProduct) = (false, false)
      kernel.result = .init(argument: kernel.workspace, offset: count, rowStride: n, isTransposed: false)
      arguments[kernel.workspace].count += block * n
      arrays[kernel.workspace] += generator.floats(block * n)
    }
    kernel.epilogue = wholeRows(m, width: n, of: kernel.result)
    return finish(.matmul(kernel), tolerance: 2e-5)
  }
}
