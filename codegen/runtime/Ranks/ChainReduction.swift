/// The sum of the ranks' gradients, chunk by chunk: each rank adds its own to what comes from the rank before, and the last one sends the
/// result back down the chain.
///
/// The order of additions is that of the ranks, whatever arrives when. Sums and results lie where the gradients lay.
final class ChainReduction: @unchecked Sendable {
  /// What one reduction took.
  struct Times {
    /// From the first chunk that was there until the last result.
    var seconds = 0.0
    /// Bytes that this rank has sent.
    var sentBytes = 0
  }

  private(set) var times = Times()

  private let messenger: any Messenger
  private let chunks: [GradientChunk]
  /// This rank's gradients, to which the sums of its earlier batches are added first.
  private let gradients: LentGradients
  private let progress: PhaseProgress
  /// What the gradients' memory belongs to, which messages may still be written to when nobody waits for them any more.
  private let owner: AnyObject
  private let hasLower: Bool
  private let hasUpper: Bool
  /// Where sums of lower ranks arrive, round and round.
  private let incoming: UnsafeMutableBufferPointer<Float>

  /// Chunks whose receiving has begun, that have this rank's share, that have been passed on, and that are done.
  private var begunCount = 0
  private var addedCount = 0
  private var passedCount = 0
  private var begunResultCount = 0
  private var doneCount = 0
  private var arriving: [Transfer] = []
  private var passing: [Transfer] = []
  private var arrivingResults: [Transfer] = []
  private var passingResults: [Transfer] = []
  private var start: UInt64?

  /// Chunks on their way from each neighbour at a time.
  private static let window = 8

  /// - Parameters:
  ///   - gradients: The memory of the gradients, which is `owner`'s.
  ///   - progress: Tells which chunks are final.
  init(
    _ messenger: any Messenger, _ chunks: [GradientChunk], gradients: LentGradients, progress: PhaseProgress, owner: AnyObject
  ) {
    self.messenger = messenger
    self.chunks = chunks
    self.gradients = gradients
    self.progress = progress
    self.owner = owner
    hasLower = messenger.rank > 0
    hasUpper = messenger.rank < messenger.count - 1
    incoming = .allocate(capacity: hasLower ? Self.window * GradientChunks.largest(of: chunks) : 0)
  }

  deinit {
    incoming.deallocate()
  }

  /// Does what can be done without waiting.
  func advance() throws(TrainerError) -> (hasMoved: Bool, isDone: Bool) {
    let before = (addedCount, passedCount, doneCount)
    try beginToReceive()
    while addedCount < chunks.count, progress.endedPhases > chunks[addedCount].lastPhase, try add() {}
    while let first = passing.first, try messenger.isDone(first) {
      passing.removeFirst()
      passedCount += 1
    }
    try takeResults()
    while let first = passingResults.first, try messenger.isDone(first) { passingResults.removeFirst() }
    let isDone = doneCount == chunks.count && passing.isEmpty && passingResults.isEmpty
    if isDone { times.seconds = Double(Clock.nanoseconds - (start ?? Clock.nanoseconds)) * 1e-9 }
    return (before != (addedCount, passedCount, doneCount), isDone)
  }

  /// Begins to receive as many sums of lower ranks as there is room for.
  private func beginToReceive() throws(TrainerError) {
    guard hasLower else { return }
    while begunCount < min(chunks.count, addedCount + Self.window) {
      arriving.append(
        try messenger.receive(UnsafeMutableRawBufferPointer(buffer(begunCount)), from: messenger.rank - 1, as: .sum))
      begunCount += 1
    }
  }

  /// Adds this rank's share to the next chunk and passes it on, if it has arrived.
  private func add() throws(TrainerError) -> Bool {
    start = start ?? Clock.nanoseconds
    let chunk = chunks[addedCount]
    let own = gradients.accumulators[rebased: chunk.elements]
    if hasLower {
      guard let first = arriving.first, try messenger.isDone(first) else { return false }
      arriving.removeFirst()
    }
    gradients.addSums(chunk.elements)
    if hasLower { own.add(buffer(addedCount)) }
    addedCount += 1
    times.sentBytes += own.count * 4
    if hasUpper {
      passing.append(try messenger.send(UnsafeRawBufferPointer(own), to: messenger.rank + 1, as: .sum))
    } else {
      doneCount += 1
      passingResults.append(try messenger.send(UnsafeRawBufferPointer(own), to: messenger.rank - 1, as: .result))
    }
    return true
  }

  /// Takes in what comes back of the chunks that have been passed on, and passes it on.
  private func takeResults() throws(TrainerError) {
    guard hasUpper else { return }
    while begunResultCount < min(passedCount, doneCount + Self.window) {
      let own = gradients.accumulators[rebased: chunks[begunResultCount].elements]
      arrivingResults.append(try messenger.receive(UnsafeMutableRawBufferPointer(own), from: messenger.rank + 1, as: .result))
      begunResultCount += 1
    }
    while let first = arrivingResults.first, try messenger.isDone(first) {
      arrivingResults.removeFirst()
      if hasLower {
        let own = gradients.accumulators[rebased: chunks[doneCount].elements]
        times.sentBytes += own.count * 4
        passingResults.append(try messenger.send(UnsafeRawBufferPointer(own), to: messenger.rank - 1, as: .result))
      }
      doneCount += 1
    }
  }

  /// Where the sum of lower ranks of the chunk of number `index` arrives.
  private func buffer(_ index: Int) -> UnsafeMutableBufferPointer<Float> {
    let start = index % Self.window * GradientChunks.largest(of: chunks)
    return incoming[rebased: start..<start + chunks[index].elements.count]
  }
}

extension GradientChunks {
  /// Elements of the largest of `chunks`.
  fileprivate static func largest(of chunks: [GradientChunk]) -> Int { chunks.map(\.elements.count).max() ?? 0 }
}

extension LentGradients {
  /// Adds the sums of earlier batches to the accumulators, and zeroes the sums, for the elements of `range`.
  func addSums(_ range: Range<Int>) {
    guard let sums else { return }
    accumulators[rebased: range].add(sums[rebased: range])
    sums[rebased: range].update(repeating: 0)
  }
}

extension UnsafeMutableBufferPointer<Float> {
  /// The elements of `range`, counted from 0.
  fileprivate subscript(rebased range: Range<Int>) -> Self { Self(rebasing: self[range]) }

  /// Adds `other`, of as many elements.
  fileprivate func add(_ other: Self) {
    for index in 0..<Swift.min(count, other.count) { self[index] = other[index] + self[index] }
  }
}
