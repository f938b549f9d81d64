/// A backend without code: kernels in the simplest way, which takes no workspace.
///
/// With it a program can be planned and looked at where there is no target.
public struct ReferenceBackend: Backend {
  public var chunking = Chunking(rows: 384, least: 4, bytes: 256 << 10)
  /// Rows of a matmul's result, and columns of sums, in a unit of a kernel that is cut.
  public var blockRows = 384
  public var blockColumns = 64

  public init() {}

  public func variant(of kernel: Kernel, units: Int) -> Variant {
    let block: Int? =
      switch kernel.wholeResult {
      case .rows: blockRows
      case .columns: blockColumns
      case nil: nil
      }
    return Variant(name: "reference", block: block)
  }
}
