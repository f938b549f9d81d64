import WaMIMCompiler

extension KernelWriter {
  /// Writes what blocks behind the first `products` do, which multiply: they sum the left side's rows. Warp groups never have the sides
  /// in registers, so that the sums take blocks of their own, whose lanes have a row each, and whose warps a share of the terms.
  ///
  /// - Returns: How many blocks that takes.
  func writeLeftSums(
    _ matmul: MatmulKernel, _ shape: ProductShape, behind products: Int, threads: Int, to source: inout SourceText
  ) -> Int {
    guard let target = matmul.leftSums else { return 0 }
    let (lanes, warps) = (32, threads / 32)
    source.block("if (block >= \(products))") { source in
      source.line("extern __shared__ ALIGNED(1024) unsigned char stages[];")
      source.line("float (&parts)[\(warps)][\(lanes)] = *(float (*)[\(warps)][\(lanes)])stages;")
      source.line("const int lane = threadIdx.x % \(lanes), warp = threadIdx.x / \(lanes);")
      source.line("const int row = (block - \(products)) * \(lanes) + lane;")
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
      source.line("return;")
    }
    return shape.rows.dividedUp(by: lanes)
  }
}
