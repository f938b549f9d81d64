/// Kernels that each unit goes through one after the other before the next unit does, so that what they hand on stays in the cache.
///
/// What only later parts read lies in the workspace, where every unit takes the place of the one before.
public struct SequenceKernel: Hashable, Sendable {
  /// A kernel; its argument numbers are those of the sequence.
  public enum Part: Hashable, Sendable {
    case wavelet(WaveletKernel)
    case rows(RowKernel)
  }

  public var parts: [Part]

  public init(parts: [Part]) { self.parts = parts }

  /// The name in dumps and profiles: that of the part which the others follow.
  var kind: String {
    switch parts.first {
    case .wavelet: "wavelet"
    case .rows, nil: "rows"
    }
  }
}
