import WaMIMCompiler

/// Rows that loops leave for later loops in the workspace. A kernel has them for one row at a time; on a GPU all rows are worked on at the
/// same time, so each has its own.
extension RowKernel {
  /// Elements of the workspace that the rows keep, in argument `workspace`.
  func keptCount(in workspace: Int?) -> Int { rowCount * keptWidth(in: workspace) }

  /// The kernel with what its rows keep from element `start` of argument `workspace` on, one row behind the other.
  func keepingRowsApart(in workspace: Int?, from start: Int) -> RowKernel {
    let width = keptWidth(in: workspace)
    guard width > 0 else { return self }
    var strides: [Int] = []
    var stride = width
    for extent in outer.reversed() {
      strides.insert(stride, at: 0)
      stride *= extent
    }
    return mappingAccesses { access in
      guard isKept(access, in: workspace) else { return access }
      var access = access
      access.offset += start
      access.strides = strides + access.strides.suffix(1)
      return access
    }
  }

  /// Elements that each row keeps.
  private func keptWidth(in workspace: Int?) -> Int {
    let kept = stages.flatMap(\.accesses).filter { isKept($0, in: workspace) }
    return (kept.map { $0.offset + width }.max() ?? 0).roundedUp(to: WorkspaceLayout.alignment)
  }

  /// Whether an access is to the same elements of the workspace in every row; what else lies there has rows of its own.
  private func isKept(_ access: Access, in workspace: Int?) -> Bool {
    rowCount > 1 && access.argument == workspace && access.pick == nil
      && zip(outer, access.strides).allSatisfy { $0 == 1 || $1 == 0 }
  }
}

extension Int {
  /// The least multiple of `alignment` that is not smaller.
  func roundedUp(to alignment: Int) -> Int { dividedUp(by: alignment) * alignment }
}
