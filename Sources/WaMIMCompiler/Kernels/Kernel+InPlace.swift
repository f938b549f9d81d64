extension Kernel {
  /// A pair of arguments of which the second may lie where the first does, if nobody needs the first afterwards.
  package struct InPlacePair: Hashable {
    package var read: Int
    package var written: Int

    package init(read: Int, written: Int) {
      self.read = read
      self.written = written
    }
  }

  /// The pairs of an argument that is only read and one that is only written, whose elements are read before those at the same index are
  /// written.
  ///
  /// Elementwise kernels have them: the gradient of an activation, for one, can overwrite the activation.
  package var inPlacePairs: [InPlacePair] {
    guard let (rows, others) = rowsAndOtherArguments else { return [] }
    let (sources, targets) = (indices(.read).filter { !others.contains($0) }, indices(.write).filter { !others.contains($0) })
    return targets.flatMap { target in
      sources.filter { isSameArray($0, target) && rows.reads($0, beforeWriting: target) }
        .map { InPlacePair(read: $0, written: target) }
    }
  }

  /// The loops over rows, and the arguments that something else than those loops accesses.
  private var rowsAndOtherArguments: (RowKernel, Set<Int>)? {
    switch body {
    case .rows(let rows): return (rows, [])
    case .matmul(let matmul):
      guard let rows = matmul.epilogue else { return nil }
      let others = [matmul.left.argument, matmul.right.argument, matmul.result.argument, matmul.workspace]
      return (rows, Set(others + (matmul.leftSums.map { [$0.argument] } ?? [])))
    default: return nil
    }
  }

  private func indices(_ access: KernelArgument.Access) -> [Int] {
    arguments.indices.filter { arguments[$0].access == access }
  }

  private func isSameArray(_ first: Int, _ second: Int) -> Bool {
    let (first, second) = (arguments[first], arguments[second])
    return first.element == second.element && first.unitStride == second.unitStride && first.count == second.count
  }
}

extension RowKernel {
  /// Whether each element of `source` is read for the last time before the one at the same index of `target` is written.
  fileprivate func reads(_ source: Int, beforeWriting target: Int) -> Bool {
    let loads = staged { $0.loads.filter { $0.argument == source } }
    let stores = staged { $0.stores.map(\.access).filter { $0.argument == target } }
    guard let lastLoad = loads.last, let firstStore = stores.first, lastLoad.stage <= firstStore.stage else { return false }
    // Sums are cleared before the first row.
    let isSum = stages.contains { $0.stores.contains { $0.sumsRows && $0.access.argument == target } }
    let isIndex = stages.contains { $0.loads.contains { $0.pick?.argument == source } }
    return !isIndex && !isSum && isOneToOne(firstStore.access)
      && (loads + stores).allSatisfy {
        $0.access.pick == nil && $0.access.offset == firstStore.access.offset && $0.access.strides == firstStore.access.strides
      }
  }

  private func staged(_ accesses: (RowStage) -> [Access]) -> [(stage: Int, access: Access)] {
    stages.enumerated().flatMap { index, stage in accesses(stage).map { (index, $0) } }
  }

  /// Whether an access meets each element at most once.
  private func isOneToOne(_ access: Access) -> Bool {
    zip(outer + [width], access.strides).allSatisfy { $0 == 1 || $1 != 0 }
  }
}
