import WaMIMCompiler

extension KernelWriter {
  /// The sums of the left side's rows by themselves: a lane has a row, and each warp a share of the terms.
  func leftSums(of matmul: MatmulKernel, _ shape: ProductShape, to target: Access) -> CUDAFunction {
    let (lanes, warps) = (32, Self.threads / 32)
    return function("sums", blocks: shape.rows.dividedUp(by: lanes)) { source in
      source.share("float", "parts", [warps, lanes])
      source.line("const int lane = threadIdx.x % \(lanes), warp = threadIdx.x / \(lanes);")
      source.line("const int row = block * \(lanes) + lane;")
      source.line("float total = 0.0f;")
      let index = position(matmul.left, row: "row", column: "k", shape, hasUnits: true)
      source.line("if (row < \(shape.rows))")
      source.line("  for (int k = warp; k < \(matmul.k); k += \(warps))")
      source.line("    total += \(number(matmul.left.argument, "a\(matmul.left.argument)[\(index)]"));")
      source.line("parts[warp][lane] = total;")
      source.line("block_barrier();")
      source.line("if (warp > 0 || row >= \(shape.rows)) return;")
      source.line("for (int w = 1; w < \(warps); ++w) total += parts[w][lane];")
      source.line(store("total", target, ["row"]))
    }
  }
}
