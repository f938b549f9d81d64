/// A target, as far as lowering and planning have to know it.
///
/// It is asked once for each kernel, and its answer is kept in the program: what turns the program into code reads the answer and
/// decides nothing again.
public protocol Backend: Sendable {
  /// How the target wants the work of a schedule to be cut.
  var chunking: Chunking { get }

  /// How the target carries out `kernel`, which has `units` units.
  ///
  /// A kernel whose result no sample owns comes whole, as one unit. The answer's `block` says how it is cut.
  func variant(of kernel: Kernel, units: Int) -> Variant

  /// The most arguments of kernels that run at the same time as one; 0 where the target runs each kernel alone.
  var parallelArguments: Int { get }

  /// Whether the target makes one call after the other, so that memory is free again as soon as a call is made.
  var makesCallsInTurn: Bool { get }

  /// Whether products can sum the rows of their left side on the way.
  var sumsBesideProducts: Bool { get }

  /// How many samples, at most, add rows up at the same place where their sum over the batch is wanted. A target that keeps what a
  /// sample has near by wants 1.
  var samplesScatteredTogether: Int { get }
}

extension Backend {
  public var parallelArguments: Int { 0 }
  public var makesCallsInTurn: Bool { false }
  public var sumsBesideProducts: Bool { false }
  public var samplesScatteredTogether: Int { 1 }
}

/// How the units of a group of calls are cut into chunks, each of which one thread works on at a time.
public struct Chunking: Hashable, Sendable {
  /// Rows of matmuls that a chunk has, enough for a product to be efficient.
  public var rows: Int
  /// Chunks that samples are cut into at least, where there are as many, so that threads share the work evenly.
  public var least: Int
  /// Bytes that a chunk of other work moves.
  public var bytes: Int

  public init(rows: Int, least: Int, bytes: Int) {
    self.rows = rows
    self.least = least
    self.bytes = bytes
  }
}
