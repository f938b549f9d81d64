import WaMIMGraph

/// How many samples of a batch a program takes at a time; the gradients of all micro-batches add up before the optimiser's step.
public enum MicroBatch: Hashable, Sendable {
  /// The whole batch.
  case whole
  /// As few as keep matrix products efficient, since memory grows with each sample; the whole batch where it cannot be cut.
  case automatic
  /// A number that the batch is a multiple of.
  case samples(Int)
  /// As many as training within so many bytes allows.
  case within(bytes: Int)
}

extension MicroBatch {
  /// Chunks of rows in a micro-batch, so that a few threads have some each, and adding up gradients stays cheap beside the products.
  private static let efficientChunks = 5

  /// The numbers of samples to try in the batch of `graph`, from the best on.
  func candidates(for graph: Graph, _ chunking: Chunking) throws -> [Int] {
    let batch = graph.batch
    switch self {
    case .whole: return [batch]
    case .automatic:
      let rows = MicroBatch.efficientChunks * chunking.rows
      let efficient = (1...max(batch, 1)).first { batch.isMultiple(of: $0) && $0 * graph.rowsPerSample >= rows } ?? batch
      return efficient < batch ? [efficient, batch] : [batch]
    case .samples(let count):
      guard count > 0, batch.isMultiple(of: count) else {
        let divisors = (1...max(batch, 1)).filter { batch.isMultiple(of: $0) }.map(String.init).joined(separator: ", ")
        throw CompilationError("a batch of \(batch) samples cannot be cut into micro-batches of \(count), only of \(divisors)")
      }
      return [count]
    case .within: return (1...max(batch, 1)).reversed().filter { batch.isMultiple(of: $0) }
    }
  }

  /// Whether a program that needs `bytes` to train will do.
  func allows(_ bytes: Int) -> Bool {
    if case .within(let budget) = self { bytes <= budget } else { true }
  }
}

extension Graph {
  /// The rows that matrix products of training have for each sample, on average over their multiply-adds; at least 1.
  fileprivate var rowsPerSample: Int {
    var trained = self
    // What only the features of whole images need is no work of a step.
    if loss != nil { trained.outputs = [] }
    return trained.withoutDeadCode().rowsPerSampleOfAll
  }

  private var rowsPerSampleOfAll: Int {
    var (weighted, work) = (0.0, 0.0)
    for value in values {
      guard case .matmul = self[value].operation, let left = self[value].operands.first.map({ self[$0].type.shape }) else {
        continue
      }
      guard left.rank == 3, left[0] == batch else { continue }
      let products = Double(self[value].type.shape.count) * Double(left[2])
      weighted += products * Double(left[1])
      work += products
    }
    return work > 0 ? max(1, Int(weighted / work)) : 1
  }
}
