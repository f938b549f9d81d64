/// Kernels that each unit goes through one after the other before the next unit does, so that what they hand on stays in the cache.
///
/// What only later members read lies in the workspace, where every unit overwrites the one before.
public struct SequenceKernel: Hashable, Sendable {
  /// A kernel; its argument numbers are those of the sequence.
  public enum Member: Hashable, Sendable {
    case wavelet(WaveletKernel)
    case rows(RowKernel)
  }

  public var members: [Member]

  public init(members: [Member]) { self.members = members }

  /// The name in dumps and profiles: that of the member which the others follow.
  var kind: String {
    switch members.first {
    case .wavelet: "wavelet"
    case .rows, nil: "rows"
    }
  }
}
