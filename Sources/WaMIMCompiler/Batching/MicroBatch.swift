import WaMIMGraph

/// How many samples of a batch a program takes at a time; the gradients of the parts add up before the optimiser's step.
public enum MicroBatch: Hashable, Sendable {
  /// The whole batch.
  case whole
  /// A number that the batch is a multiple of.
  case samples(Int)
  /// As many as training within so many bytes allows.
  case within(bytes: Int)
}

extension MicroBatch {
  /// The numbers of samples to try in a batch of `batch`, from the best on.
  func candidates(batch: Int) throws -> [Int] {
    switch self {
    case .whole: return [batch]
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

extension Program {
  /// Bytes that a process takes that trains on one thread and reads images on another: all that the plan of memory lists.
  public var peakBytes: Int {
    manifest.memoryPlan(schedules: manifest.stepRuns().map(\.schedule), threads: 1, sources: 1, loaders: 1).total
  }
}
