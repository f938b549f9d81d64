extension Kernel {
  /// A result that no sample owns, so that a backend may cut it as it likes.
  public enum WholeResult: Hashable, Sendable {
    /// A matmul's result with as many rows.
    case rows(Int)
    /// Sums with as many columns.
    case columns(Int)

    /// The rows or columns.
    public var extent: Int {
      switch self {
      case .rows(let count), .columns(let count): count
      }
    }
  }

  /// The result that a backend may cut, or nil where samples cut the work.
  public var wholeResult: WholeResult? {
    switch body {
    case .matmul(let matmul):
      if case .rows = matmul.partition { .rows(matmul.m) } else { nil }
    case .columns(let columns):
      if case .columns = columns.partition { .columns(columns.width) } else { nil }
    default: nil
    }
  }

  /// Elements that a piece of a workspace is rounded up to, a cache line, so that what lies behind it begins on one.
  private static let workspaceAlignment = 16

  /// The kernel, cut into blocks as `variant` wants it and with its workspace, and how many units it has then.
  package func adopting(_ variant: Variant, units: Int) -> (kernel: Kernel, units: Int) {
    var (result, units) = (self, units)
    if let block = variant.block, let whole = wholeResult {
      result.cut(into: block)
      units = (whole.extent + block - 1) / block
    }
    if variant.workspace > 0, let workspace = arguments.firstIndex(where: { $0.access == .workspace }) {
      let alignment = Kernel.workspaceAlignment
      let own = (result.arguments[workspace].count + alignment - 1) / alignment * alignment
      result.arguments[workspace].count = own + variant.workspace
    }
    return (result, units)
  }

  private mutating func cut(into block: Int) {
    switch body {
    case .matmul(var matmul):
      guard case .rows(let rows) = matmul.partition else { return }
      matmul.partition = .rows(block: block)
      // A product that lies in the workspace is what comes last there, one block of it at a time.
      if matmul.result.argument == matmul.workspace { arguments[matmul.workspace].count -= (rows - block) * matmul.n }
      body = .matmul(matmul)
    case .columns(var columns):
      guard case .columns = columns.partition else { return }
      columns.partition = .columns(block: block)
      body = .columns(columns)
    default: return
    }
  }
}
