import WaMIMGraph

/// A piece of work over a range of units, independent of any target: what a backend turns into one function.
///
/// A unit is a sample where the work is local to samples, and a block of rows or columns of the result elsewhere. A kernel
/// works on the units `begin..<end` and knows nothing of where its arrays lie, so equal kernels serve many calls.
public struct Kernel: Hashable, Sendable {
  /// The arrays that the kernel reads and writes, in the order of the pointers it receives.
  public var arguments: [KernelArgument]
  public var body: KernelBody

  public init(arguments: [KernelArgument], body: KernelBody) {
    self.arguments = arguments
    self.body = body
  }
}

/// What a kernel does.
public enum KernelBody: Hashable, Sendable {
  case rows(RowKernel)
  case columns(ColumnKernel)
  case matmul(MatmulKernel)
  case attention(AttentionKernel)
  case attentionGradient(AttentionGradientKernel)
  case groupAttention(GroupAttentionKernel)
  case groupAttentionGradient(GroupAttentionGradientKernel)
  case index(IndexKernel)
  case wavelet(WaveletKernel)
  case sequence(SequenceKernel)
  case parallel(ParallelKernel)

  /// The kind's name in dumps and profiles.
  public var kind: String {
    switch self {
    case .rows: "rows"
    case .columns: "columns"
    case .matmul: "matmul"
    case .attention: "attention"
    case .attentionGradient: "attention_gradient"
    case .groupAttention: "group_attention"
    case .groupAttentionGradient: "group_attention_gradient"
    case .index(let kernel): kernel.kind
    case .wavelet: "wavelet"
    case .sequence(let kernel): kernel.kind
    case .parallel(let kernel): kernel.kind
    }
  }
}

/// An array that a kernel receives a pointer to.
public struct KernelArgument: Hashable, Sendable {
  /// What the kernel does with the array.
  public enum Access: String, Hashable, Sendable {
    case read, write
    /// Reads each element before it writes that same element.
    case update
    /// Uses it as it likes; nobody else sees it.
    case workspace
  }

  public var element: ElementType
  public var access: Access
  /// The elements from one unit to the next, or 0 where all units see the same array.
  ///
  /// The pointer of a call on units `begin..<end` points at unit `begin`: inside, the unit's index counts from 0.
  public var unitStride: Int
  /// The elements that a call on one unit may touch; of a whole array, all of them.
  public var count: Int

  /// Bytes that a call on one unit may touch.
  public var byteCount: Int { count * element.byteCount }

  public init(element: ElementType, access: Access, unitStride: Int, count: Int) {
    self.element = element
    self.access = access
    self.unitStride = unitStride
    self.count = count
  }
}
