import WaMIMGraph
import WaMIMManifest

/// A graph for one of the equal parts that a batch is cut into.
package struct CutGraph: Sendable {
  /// Computes of a part what adds up, over the parts, to the loss and the gradients of the batch.
  package var graph: Graph
  /// How each output of the parts becomes that of the batch.
  package var combinations: [String: Manifest.Combination]
}

extension Graph {
  /// The graph for one of `parts` equal parts of the batch.
  ///
  /// Cutting a batch is exact where the loss is a sum over its samples, of which each part gives a share: numbers such as the 1 / batch
  /// of a mean stay those of the whole batch.
  /// - Throws: `CompilationError` at the operation that mixes samples in another way.
  package func cut(into parts: Int) throws -> CutGraph {
    guard batch.isMultiple(of: parts) else {
      throw CompilationError("a batch of \(batch) samples cannot be cut into \(parts) equal parts")
    }
    guard updates.isEmpty else {
      throw CompilationError("the model updates states by itself, so its batch cannot be cut")
    }
    var cutter = BatchCutter(self, parts: parts)
    for value in values { try cutter.cut(value) }
    return try cutter.finish()
  }
}

/// What a value has to do with the samples of a batch.
enum SampleRole: Hashable {
  /// Nothing: it is the same for all parts of the batch.
  case shared
  /// It holds something of each sample, sample after sample along an axis.
  case samples(axis: Int)
  /// It is a sum over samples, of which a part of the batch gives a share.
  case sum
}
