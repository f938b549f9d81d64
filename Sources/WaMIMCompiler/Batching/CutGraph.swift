import WaMIMGraph
import WaMIMManifest

/// A graph for one of the micro-batches of equal size that a batch is cut into.
package struct CutGraph: Sendable {
  /// Computes of a micro-batch what adds up, over all of them, to the loss and the gradients of the batch.
  package var graph: Graph
  /// How each output of the micro-batches becomes that of the batch.
  package var combinations: [String: Manifest.Combination]
}

extension Graph {
  /// The graph for one of `count` micro-batches of equal size.
  ///
  /// Cutting a batch is exact where the loss is a sum over its samples, of which each micro-batch gives a share: numbers such as the
  /// 1 / batch of a mean stay those of the whole batch.
  /// - Throws: `CompilationError` at the operation that mixes samples in another way.
  package func cut(into count: Int) throws -> CutGraph {
    guard batch.isMultiple(of: count) else {
      throw CompilationError("a batch of \(batch) samples cannot be cut into \(count) equal micro-batches")
    }
    guard updates.isEmpty else {
      throw CompilationError("the model updates states by itself, as batch norm does, so its batch cannot be cut")
    }
    var cutter = BatchCutter(self, microBatches: count)
    for value in values { try cutter.cut(value) }
    return try cutter.finish()
  }
}

/// What a value has to do with the samples of a batch.
enum SampleRole: Hashable {
  /// Nothing: it is the same for all micro-batches.
  case shared
  /// It holds something of each sample, sample after sample along an axis.
  case samples(axis: Int)
  /// It is a sum over samples, of which a micro-batch gives a share.
  case sum
}
