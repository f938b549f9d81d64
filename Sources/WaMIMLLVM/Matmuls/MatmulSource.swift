/// Where a program's matrix products come from.
public enum MatmulSource: String, Hashable, Sendable, CaseIterable {
  /// OpenBLAS, which the program is linked with.
  case openBLAS = "openblas"
  /// Code made for the shapes of each product.
  case generated
  /// Generated code, unless OpenBLAS takes a tenth less time by a model of what both do.
  case automatic = "auto"

  /// The source for products that cost `cost` together, never `automatic`.
  func resolved(for cost: MatmulCost) -> MatmulSource {
    guard self == .automatic else { return self }
    return cost.openBLAS < MatmulSource.worthwhileShare * cost.generated ? .openBLAS : .generated
  }

  /// The share of the time of generated code that OpenBLAS may take at most: it makes executables more than twice as large, and the
  /// model may be wrong by a few percent.
  private static let worthwhileShare = 0.9
}
