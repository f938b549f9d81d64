import WaMIMCompiler

// Products of bf16 numbers by warp groups, as Hopper has them: one warp group lets tiles of both sides be copied to shared memory, stage
// after stage, and each of the others multiplies 64 rows of what has come.

/// How a block of warp groups shares its memory and registers.
private struct Staging {
  let stages: Int
  let bytesOfStage: Int
  /// Terms of a stage, and stages' worth of them that there are.
  let terms = TiledOperand.line
  let steps: Int

  static let threadsOfGroup = 128
  /// Beside stages there are barriers.
  private static let reservedBytes = 1 << 10
  private static let mostStages = 8

  init(_ sides: [TiledOperand], terms count: Int, sharedBytes: Int) {
    bytesOfStage = sides.reduce(0) { $0 + $1.byteCount }
    steps = count.dividedUp(by: TiledOperand.line)
    stages = min(Self.mostStages, steps, (sharedBytes - Self.reservedBytes) / bytesOfStage)
  }
}

extension KernelWriter {
  /// Both sides, if the tensor copy engine can take them; nil as well where the architecture lacks what is needed.
  func tiledOperands(_ matmul: MatmulKernel, _ tile: MatmulTile, _ shape: ProductShape) -> [TiledOperand]? {
    guard architecture.multipliesByWarpGroups, matmul.factor == .bfloat16 else { return nil }
    let sides = [true, false].compactMap {
      TiledOperand(matmul, isLeft: $0, tile, shape, arguments: kernel.arguments)
    }
    return sides.count == 2 ? sides : nil
  }

  /// Descriptions of arrays that the kernel's product takes if warp groups make it, which depends on how many run at the same time.
  var mostTensorMaps: Int {
    guard case .matmul(let matmul) = kernel.body, let shape = ProductShape(kernel, units: units) else { return 0 }
    return tiledOperands(matmul, MatmulTile.hopper[0], shape)?.count ?? 0
  }

  /// A product by warp groups.
  func groupProduct(
    _ matmul: MatmulKernel, _ shape: ProductShape, _ tile: MatmulTile, _ sides: [TiledOperand], epilogue: RowKernel?,
    blocks: Int, _ writePlace: (inout SourceText) -> Void
  ) -> CUDAFunction {
    let staging = Staging(sides, terms: matmul.k, sharedBytes: architecture.sharedBytes)
    let threads = Staging.threadsOfGroup * (1 + tile.warpGroups)
    var sumBlocks = 0
    var function = function("matmul", blocks: blocks, threads: threads, usesTensorCores: true) { source in
      sumBlocks = writeLeftSums(matmul, shape, behind: blocks, threads: threads, to: &source)
      writePlace(&source)
      writeBarriers(tile, staging, to: &source)
      source.block("if (threadIdx.x < \(Staging.threadsOfGroup))") { source in
        if tile.warpGroups > 1 { source.line("leave_registers<24>();") }
        source.block("if (threadIdx.x == 0)") { writeCopies(sides, tile, staging, to: &$0) }
        source.line("return;")
      }
      if tile.warpGroups > 1 { source.line("take_registers<240>();") }
      writeGroupProducts(sides, tile, staging, to: &source)
      source.line("const int group = threadIdx.x % 32 / 4, member = threadIdx.x % 4;")
      source.line("const int warp_row = (threadIdx.x - \(Staging.threadsOfGroup)) / 32 * 16;")
      let share = ThreadShare(
        rows: 2, columns: tile.columns / 4, row: "warp_row + i * 8 + group", column: "j / 2 * 8 + 2 * member + j % 2",
        sum: "sums[j / 2 * 4 + i * 2 + j % 2]")
      writeResult(matmul, shape, share, epilogue, to: &source)
    }
    function.blocks += sumBlocks
    function.tensorMaps = sides.map(\.map)
    function.sharedBytes = staging.stages * staging.bytesOfStage
    function.residentBlocks = 1
    function.groupColumns = tile.columns
    return function
  }

  /// Writes the making of each stage's two barriers: that its tiles have come, and that all warps have multiplied them.
  private func writeBarriers(_ tile: MatmulTile, _ staging: Staging, to source: inout SourceText) {
    source.line("extern __shared__ ALIGNED(1024) unsigned char stages[];")
    source.line("__shared__ ALIGNED(8) unsigned long long barriers[\(2 * staging.stages)];")
    source.line(
      "const unsigned tiles = shared_address(stages), full = shared_address(barriers), empty = full + \(8 * staging.stages);")
    source.block("if (threadIdx.x == 0)") { source in
      source.loop("stage", below: "\(staging.stages)") { source in
        source.line("make_barrier(full + 8 * stage, 1);")
        source.line("make_barrier(empty + 8 * stage, \(4 * tile.warpGroups));")
      }
      source.line("publish_barriers();")
    }
    source.line("block_barrier();")
  }

  /// Writes the loop of the one thread that lets tiles be copied.
  private func writeCopies(_ sides: [TiledOperand], _ tile: MatmulTile, _ staging: Staging, to source: inout SourceText) {
    for (number, side) in sides.enumerated() {
      source.line("const unsigned long long \(side.name) = \(CUDAFunction.mapPlaceholder(number));")
    }
    source.loop("step", below: "\(staging.steps)") { source in
      writeStage(staging, to: &source)
      source.line("wait_for_phase(empty + 8 * stage, step / \(staging.stages) % 2 ^ 1);")
      source.line("arrive_expecting(full + 8 * stage, \(staging.bytesOfStage));")
      var start = 0
      for side in sides {
        let first = side.isLeft ? "first_row" : "first_column"
        let rest = side.coordinates.map { ", " + $0 }.joined()
        let terms = "\(staging.terms) * step"
        let to = start > 0 ? "at + \(start)" : "at"
        if side.linesHoldTerms {
          source.line("copy_tile(\(to), full + 8 * stage, \(side.name), \(terms), \(first)\(rest));")
        } else {
          let line = TiledOperand.line
          source.line("for (int box = 0; box < \(side.extent / line); ++box)")
          source.line(
            "  copy_tile(\(to) + \(TiledOperand.boxBytes) * box, full + 8 * stage, \(side.name), \(first) + \(line) * box, "
              + "\(terms)\(rest));")
        }
        start += side.byteCount
      }
    }
  }

  private func writeStage(_ staging: Staging, to source: inout SourceText) {
    source.line("const int stage = step % \(staging.stages);")
    source.line("const unsigned at = tiles + \(staging.bytesOfStage) * stage;")
  }

  /// Writes the products of each stage. While they run, those before are waited for, whose stage is free then.
  private func writeGroupProducts(_ sides: [TiledOperand], _ tile: MatmulTile, _ staging: Staging, to source: inout SourceText) {
    let (left, right) = (sides[0], sides[1])
    source.line("float sums[\(tile.columns / 2)] = {};")
    source.loop("step", below: "\(staging.steps)") { source in
      writeStage(staging, to: &source)
      source.line("wait_for_phase(full + 8 * stage, step / \(staging.stages) % 2);")
      let group = tile.warpGroups > 1 ? " + \(TiledOperand.boxBytes) * (threadIdx.x / \(Staging.threadsOfGroup) - 1)" : ""
      source.line("const unsigned long long left = described(at\(group)), right = described(at + \(left.byteCount));")
      source.line("begin_products();")
      source.line("#pragma unroll")
      source.line("for (int k = 0; k < \(staging.terms / 16); ++k)")
      source.line(
        "  add_group_products<\(left.layout), \(right.layout)>(sums, left + \(left.termStep) * k, right + \(right.termStep) * k);")
      source.line("end_products();")
      source.line("wait_for_products<1>();")
      source.line("if (step > 0 && threadIdx.x % 32 == 0) arrive(empty + 8 * ((step - 1) % \(staging.stages)));")
    }
    source.line("wait_for_products<0>();")
    source.line("// Compilers do not know that the sums are written until here.")
    source.line("#pragma unroll")
    source.line("for (int i = 0; i < \(tile.columns / 2); ++i) asm volatile(\"\" : \"+f\"(sums[i]) :: \"memory\");")
  }
}
