/// Where a program's matrix products come from.
public enum MatmulSource: String, Hashable, Sendable, CaseIterable {
  /// OpenBLAS, which the program is linked with.
  case openBLAS = "openblas"
  /// Code made for the shapes of each product.
  case generated
  /// Code made for the shapes where the processor has fused multiply-adds, OpenBLAS elsewhere.
  ///
  /// Generated code uses the instructions that the program was compiled for, OpenBLAS those that it finds when it runs. Where the
  /// target has fused multiply-adds both reach them and generated code has less to copy and no calls; elsewhere OpenBLAS may find
  /// wider vectors on the machine.
  case automatic = "auto"

  /// The source for `processor`, never `automatic`.
  func resolved(for processor: TargetProcessor) -> MatmulSource {
    guard self == .automatic else { return self }
    return processor.hasFusedMultiplyAdd ? .generated : .openBLAS
  }
}
