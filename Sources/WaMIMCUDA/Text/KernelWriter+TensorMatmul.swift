import WaMIMCompiler

// Products of bf16 numbers on tensor cores: instructions of a warp that multiply 16 rows by 8 columns over 16 terms.

/// Such an instruction's extents, as PTX calls it.
private enum TensorProduct {
  static let (rows, columns, terms) = (16, 8, 16)
}

extension KernelWriter {
  /// Writes a product of bf16 numbers: a block's eight warps have a tile of its tile each.
  ///
  /// Both sides lie in shared memory as pairs of terms, a row or column after the other. While they are multiplied, the next terms are
  /// on their way to registers.
  func writeTensorProduct(
    _ matmul: MatmulKernel, _ shape: ProductShape, _ tile: MatmulTile, _ epilogue: RowKernel?, to source: inout SourceText
  ) {
    // Four words more than a row's pairs spread the rows that a warp reads over all banks.
    let words = tile.depth / 2 + 4
    source.share("unsigned", "left", [tile.rows, words])
    source.share("unsigned", "right", [tile.columns, words])
    source.line("const int group = threadIdx.x % 32 / 4, member = threadIdx.x % 4;")
    source.line("const int warp_row = threadIdx.x / \(32 * MatmulTile.warpsAcross) * \(tile.warpRows);")
    source.line("const int warp_column = threadIdx.x / 32 % \(MatmulTile.warpsAcross) * \(tile.warpColumns);")
    let (down, across) = (tile.warpRows / TensorProduct.rows, tile.warpColumns / TensorProduct.columns)
    source.line("float sums[\(down)][\(across)][4] = {};")
    if matmul.leftSums != nil {
      source.line("// The first warps of a row sum its left side: products with ones.")
      source.line("const bool sums_rows = first_column == 0 && warp_column == 0;")
      source.line("const unsigned ones[2] = {0x3f803f80u, 0x3f803f80u};")
      source.line("float row_sums[\(down)][4] = {};")
    }
    let sides = [TensorSide(matmul, isLeft: true, tile, shape, self), TensorSide(matmul, isLeft: false, tile, shape, self)]
    for side in sides { source.line("unsigned next_\(side.name)[\(side.count)][\(side.width / 2)];") }
    source.block("const auto fetch = [&](int first) INLINED", end: "};") { source in
      for side in sides { writeFetch(side, matmul, shape, to: &source) }
    }
    source.line("fetch(0);")
    source.loop("first", below: "\(matmul.k)", by: "\(tile.depth)") { source in
      source.line("block_barrier();")
      for side in sides { writeKeep(side, to: &source) }
      source.line("block_barrier();")
      source.line("if (first + \(tile.depth) < \(matmul.k)) fetch(first + \(tile.depth));")
      writeTensorTerms(tile, down: down, across: across, sumsRows: matmul.leftSums != nil, to: &source)
    }
    writeRowSums(
      matmul, shape, if: "sums_rows && member == 0", count: 2 * down,
      row: "warp_row + i / 2 * \(TensorProduct.rows) + i % 2 * 8 + group", sum: "row_sums[i / 2][i % 2 * 2]", to: &source)
    let share = ThreadShare(
      rows: 2 * down, columns: 2 * across, row: "warp_row + i / 2 * \(TensorProduct.rows) + i % 2 * 8 + group",
      column: "warp_column + j / 2 * \(TensorProduct.columns) + 2 * member + j % 2", sum: "sums[i / 2][j / 2][i % 2 * 2 + j % 2]")
    writeResult(matmul, shape, share, epilogue, to: &source)
  }

  /// Writes the reading of a side's next terms; what is outside of the matrix is zero.
  private func writeFetch(_ side: TensorSide, _ matmul: MatmulKernel, _ shape: ProductShape, to source: inout SourceText) {
    let row = side.isLeft ? "row" : "column"
    source.line("#pragma unroll")
    source.loop("n", below: "\(side.count)") { source in
      source.line(side.place)
      source.line("const int \(row) = first_\(row) + at, term = first + k;")
      func element(_ term: String) -> String {
        let index = position(
          side.matrix, row: side.isLeft ? "row" : term, column: side.isLeft ? term : "column", shape, hasUnits: side.isLeft)
        return "a\(side.matrix.argument)[\(index)]"
      }
      let isThere = "\(row) < \(side.limit)"
      guard side.width == 2 else {
        source.line("const bf16x8 x = \(isThere) && term < \(matmul.k) ? eight(&\(element("term"))) : bf16x8();")
        source.line("#pragma unroll")
        source.line("for (int p = 0; p < 4; ++p) next_\(side.name)[n][p] = x.pairs[p];")
        return
      }
      source.line("const bf16 x = \(isThere) && term < \(matmul.k) ? \(element("term")) : bf16();")
      source.line("const bf16 y = \(isThere) && term + 1 < \(matmul.k) ? \(element("(term + 1)")) : bf16();")
      source.line("next_\(side.name)[n][0] = pair(x, y);")
    }
  }

  /// Writes the storing of what was read to shared memory.
  private func writeKeep(_ side: TensorSide, to source: inout SourceText) {
    source.line("#pragma unroll")
    source.loop("n", below: "\(side.count)") { source in
      source.line(side.place)
      source.line("#pragma unroll")
      source.line("for (int p = 0; p < \(side.width / 2); ++p) \(side.name)[at][k / 2 + p] = next_\(side.name)[n][p];")
    }
  }

  /// Writes the products of what lies in shared memory.
  private func writeTensorTerms(_ tile: MatmulTile, down: Int, across: Int, sumsRows: Bool, to source: inout SourceText) {
    source.line("#pragma unroll")
    source.loop("k", below: "\(tile.depth / 2)", by: "\(TensorProduct.terms / 2)") { source in
      source.line("unsigned l[\(down)][4], r[\(across)][2];")
      source.line("#pragma unroll")
      source.loop("i", below: "\(down)") { source in
        source.line("const int row = warp_row + i * \(TensorProduct.rows) + group;")
        source.line("#pragma unroll")
        source.line("for (int p = 0; p < 4; ++p) l[i][p] = left[row + p % 2 * 8][k + p / 2 * 4 + member];")
      }
      if sumsRows {
        source.block("if (sums_rows)") { source in
          source.line("#pragma unroll")
          source.line("for (int i = 0; i < \(down); ++i) add_tensor_products(row_sums[i], l[i], ones);")
        }
      }
      source.line("#pragma unroll")
      source.loop("j", below: "\(across)") { source in
        source.line("const int column = warp_column + j * \(TensorProduct.columns) + group;")
        source.line("#pragma unroll")
        source.line("for (int p = 0; p < 2; ++p) r[j][p] = right[column][k + p * 4 + member];")
      }
      source.line("#pragma unroll")
      source.loop("i", below: "\(down)") { source in
        source.line("#pragma unroll")
        source.line("for (int j = 0; j < \(across); ++j) add_tensor_products(sums[i][j], l[i], r[j]);")
      }
    }
  }
}

/// One side of a product on tensor cores: how its tile comes to shared memory.
private struct TensorSide {
  let isLeft: Bool
  let matrix: MatmulKernel.Matrix
  /// Rows or columns that there are.
  let limit: Int
  /// Terms that a thread reads at a time.
  let width: Int
  /// How often each thread reads.
  let count: Int
  /// What says which row or column and which terms a thread reads the `n`-th time.
  let place: String

  var name: String { isLeft ? "left" : "right" }

  init(_ matmul: MatmulKernel, isLeft: Bool, _ tile: MatmulTile, _ shape: ProductShape, _ writer: KernelWriter) {
    self.isLeft = isLeft
    matrix = isLeft ? matmul.left : matmul.right
    limit = isLeft ? shape.rows : shape.columns
    let extent = isLeft ? tile.rows : tile.columns
    let termsAreNeighbours = isLeft != matrix.isTransposed
    let strides = [
      matrix.offset, matrix.rowStride, matrix.batchStride, writer.kernel.arguments[matrix.argument].unitStride, matmul.k,
    ]
    width =
      termsAreNeighbours && strides.allSatisfy { $0.isMultiple(of: 8) } && extent * tile.depth >= 8 * KernelWriter.threads ? 8 : 2
    count = max(1, extent * tile.depth / width / KernelWriter.threads)
    let reads = tile.depth / width
    // Neighbouring threads read neighbouring elements.
    place =
      "const int e = threadIdx.x + n * \(KernelWriter.threads), "
      + (termsAreNeighbours
        ? "at = e / \(reads), k = e % \(reads) * \(width);" : "at = e % \(extent), k = e / \(extent) * \(width);")
  }
}
