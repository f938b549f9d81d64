/// Copies pieces of a product's sides into the workspace, in the order in which tiles read them.
struct PanelPacking {
  let builder: IRBuilder
  let tiling: MatmulTiling
  let form: PanelForm

  /// Copies `columns` columns of the right side, as many as one panel has, as rows of whole vectors; what is beyond the columns is 0.
  ///
  /// - Parameter endsWithHalf: Whether the last step is half of a pair, whose other half is 0.
  func packRight(_ source: MatrixView, columns: Int, kBlock: Int, endsWithHalf: Bool, to target: Address) {
    let copier =
      source.columnStride == 1
      ? copier(.rows(columns: columns), stride: source.rowStride, endsWithHalf: endsWithHalf)
      : copier(.columns(columns), stride: source.columnStride)
    builder.call(builder.shared(copier), [builder.pointer(source.address), builder.pointer(target), builder.index(kBlock)])
  }

  /// Copies rows of the left side, whose columns lie together, as tiles of one column after the other.
  func packLeft(_ source: MatrixView, rows: Value, kBlock: Int, endsWithHalf: Bool, to target: Address) {
    let copier = copier(.tiles(kBlock: kBlock), stride: source.columnStride, endsWithHalf: endsWithHalf)
    builder.call(builder.shared(copier), [builder.pointer(source.address), builder.pointer(target), rows])
  }

  /// Copies all rows of the left side, one after the other, `stride` elements apart.
  func copyRows(_ source: MatrixView, _ rows: ProductRows, kBlock: Int, stride: Int, to target: Address) {
    let copier = builder.shared(copier(.leftRows(kBlock: kBlock, stride: stride), stride: source.rowStride))
    builder.loop(from: builder.index(0), to: rows.runs) { run, _ in
      let from = builder.advance(source.address, by: builder.multiplyIntegers(run, builder.index(rows.leftStride)))
      let row = builder.multiplyIntegers(run, rows.rowsPerRun)
      let to = builder.advance(target, by: builder.multiplyIntegers(row, builder.index(stride)))
      builder.call(copier, [builder.pointer(from), builder.pointer(to), rows.rowsPerRun])
      return []
    }
  }

  private func copier(_ piece: PanelCopier.Piece, stride: Int, endsWithHalf: Bool = false) -> PanelCopier {
    PanelCopier(piece: piece, stride: stride, tiling: tiling, form: form, endsWithHalf: endsWithHalf)
  }
}
