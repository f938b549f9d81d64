import WaMIMCompiler

// The compiler plans workspace before it is known what a backend does with it. Code that wrote beyond it would write over what other
// kernels have there, so each emitter says how much it takes, and that is held against the plan.

extension KernelEmitter {
  /// Throws where the code for this kernel takes more than its workspace, the argument `argument`, has.
  ///
  /// - Parameters:
  ///   - elements: What the code takes.
  ///   - part: The first elements of the workspace that it may take; all of it where nil.
  func checkWorkspace(_ argument: Int, takes elements: Int, of part: Int? = nil) throws {
    let planned = min(kernel.arguments[argument].count, part ?? .max)
    guard elements <= planned else {
      throw BackendError(
        "The code of a \(kernel.body.kind) for \(builder.processor.name) takes \(elements) elements of workspace where \(planned) "
          + "are planned, which is a defect of the compiler.")
    }
  }

  /// Throws where a generated product copies more than fits into the workspace.
  func checkWorkspace(_ matmul: MatmulKernel) throws {
    guard matmuls == .generated else { return }
    let takes =
      matmul.runsOnMatrixUnit(of: builder.processor)
      ? MatrixUnitProduct(matmul, in: self).workspaceCount
      // The fewer rows are expected, the deeper are the parts.
      : PanelProduct(matmul, rows: 1, in: self).workspaceCount(copiesLeft: matmul.left.isTransposed, rows: matmul.mostRows)
    // Behind the copies the epilogue has rows of its own, and maybe the result a block.
    let copies = MatmulKernel.workspaceCount(
      partition: matmul.partition, m: matmul.m, k: matmul.k, copiesLeft: matmul.left.isTransposed)
    try checkWorkspace(matmul.workspace, takes: takes, of: copies)
  }
}

extension PanelProduct {
  /// Elements of workspace that copies take: a panel of the right side, and `rows` rows of the left side where that is copied.
  fileprivate func workspaceCount(copiesLeft: Bool, rows: Int) -> Int {
    let depth = depths.max() ?? 0
    let panel = depth * tiling.panelVectors * tiling.lanes
    guard copiesLeft else { return panel }
    // The rows of the last tile lie as far apart as those of a whole one.
    let tiles = (rows + tiling.tileRows - 1) / tiling.tileRows
    let copies = (tiles - 1) * tiling.tileStride(depth: depth) + depth * tiling.tileRows
    return max(panel, depth * MatmulKernel.panelLimit + copies)
  }
}
