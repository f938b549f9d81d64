import WaMIMCompiler

extension Kernel {
  /// The elements of argument number `argument`, from where it begins, that all units together write; nil where that is not said.
  func writtenElements(of argument: Int) -> Set<Int>? {
    switch body {
    case .rows(let rows):
      let loops = rows.outer + [rows.width]
      return rows.stages.flatMap(\.stores).map(\.access).filter { $0.argument == argument }.elements(loops)
    case .columns(let columns):
      return columns.results.map(\.access).filter { $0.argument == argument }.elements(columns.outer + [columns.width])
    case .matmul(let matmul):
      guard case .rows = matmul.partition, matmul.epilogue == nil, matmul.result.argument == argument else { return nil }
      let result = Access(argument: argument, offset: matmul.result.offset, strides: [matmul.result.rowStride, 1])
      return [result].elements([matmul.m, matmul.n])
    default: return nil
    }
  }
}

extension [Access] {
  /// The elements that the accesses meet in `loops`.
  fileprivate func elements(_ loops: [Int]) -> Set<Int> {
    var all: Set<Int> = []
    for access in self {
      var offsets = [access.offset]
      for (extent, stride) in zip(loops, access.strides) where stride != 0 {
        offsets = offsets.flatMap { offset in (0..<extent).map { offset + $0 * stride } }
      }
      all.formUnion(offsets)
    }
    return all
  }
}
