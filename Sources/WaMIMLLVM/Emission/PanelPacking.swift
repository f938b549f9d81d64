/// Copies pieces of a product's sides into the workspace, in the order in which tiles read them.
struct PanelPacking {
  let builder: IRBuilder
  let tiling: MatmulTiling

  /// Copies `columns` columns of the right side, as many as one panel has, as rows of whole vectors; what is beyond the columns is 0.
  func packRight(_ source: MatrixView, columns: Int, kBlock: Int, to target: Address) {
    let copier =
      source.columnStride == 1
      ? PanelCopier(piece: .rows(columns: columns), stride: source.rowStride, tiling: tiling)
      : PanelCopier(piece: .columns(columns), stride: source.columnStride, tiling: tiling)
    builder.call(builder.shared(copier), [builder.pointer(source.address), builder.pointer(target), builder.index(kBlock)])
  }

  /// Copies rows of the left side, whose columns lie together, as tiles of one column after the other.
  func packLeft(_ source: MatrixView, rows: Value, kBlock: Int, to target: Address) {
    let copier = PanelCopier(piece: .tiles(kBlock: kBlock), stride: source.columnStride, tiling: tiling)
    builder.call(builder.shared(copier), [builder.pointer(source.address), builder.pointer(target), rows])
  }
}
