import CPlatform
import Glibc
import Synchronization

/// The thread that sends and receives for one rank: neighbours get signs of life from it whatever the others compute or write.
///
/// One operation at a time is handed to it. A second thread ends the process where a neighbour falls silent, as the first one may
/// then never come back from a call.
final class RankLink: @unchecked Sendable {
  let messenger: any Messenger
  /// Seconds without a sign of life after which a neighbour counts as lost.
  private let timeout: Double
  private let neighbours: [Neighbour]
  private let lock = ThreadLock()
  private var threads: [WorkerThread] = []

  // What follows is protected by the lock.

  private var operation: (@Sendable () throws(TrainerError) -> Void)?
  private var isBusy = false
  private var outcome: TrainerError?
  /// Notices for both neighbours that wait to be sent.
  private var notices: [Notice] = []
  private var isEnding = false
  private var hasEnded = false
  private var names: [String]

  // What follows belongs to the thread.

  /// Why nothing can be waited for any more.
  private var failure: TrainerError?
  /// Operations that failed, kept with the memory that messages may still be written to.
  private var abandoned: [@Sendable () throws(TrainerError) -> Void] = []
  private var hasToldEnd = false
  /// Whether the ranks before this one have come to their end.
  private var endsBefore = false
  private var hasPassedEnd = false
  private var hasToldInterruption = false
  private var hasToldFailure = false
  /// Whether somebody waits for the operation's end.
  private let isAwaited = Atomic<Bool>(false)
  /// Whether this rank has failed and said why.
  private let hasSaidWhy = Atomic<Bool>(false)

  /// - Parameter timeout: Seconds without a sign of life after which a neighbour counts as lost.
  init(_ messenger: any Messenger, timeout: Double) throws(TrainerError) {
    self.messenger = messenger
    self.timeout = timeout
    endsBefore = messenger.rank == 0
    names = (0..<messenger.count).map { "rank \($0)" }
    neighbours = [messenger.rank - 1, messenger.rank + 1].filter { (0..<messenger.count).contains($0) }
      .map { Neighbour(rank: $0, messenger: messenger) }
    threads.append(try WorkerThread(name: "messages") { self.work() })
    threads.append(try WorkerThread(name: "watch") { self.watch() })
  }

  /// Calls ranks by `names` in messages.
  func setNames(_ names: [String]) {
    lock.withLock { self.names = names }
    messenger.setNames(names)
  }

  // MARK: For those who hand over operations

  /// Lets the thread begin with `body`, the one before having been waited for.
  func begin(_ body: @escaping @Sendable () throws(TrainerError) -> Void) {
    lock.withLock {
      isBusy = true
      operation = body
      lock.wakeAll()
    }
  }

  /// Waits for what was begun last, and throws what it threw.
  func wait() throws(TrainerError) {
    isAwaited.store(true, ordering: .relaxed)
    defer { isAwaited.store(false, ordering: .relaxed) }
    let outcome = lock.withLock {
      while isBusy { lock.sleep() }
      return self.outcome
    }
    if let outcome { throw outcome }
  }

  /// Lets all ranks know that this one has failed, and said why.
  func tellFailure() {
    hasSaidWhy.store(true, ordering: .relaxed)
    lock.withLock { notices.append(.failed) }
  }

  /// Waits until all ranks have come here; nobody can send any more then.
  func end() {
    lock.withLock {
      isEnding = true
      lock.wakeAll()
    }
    for thread in threads { thread.join() }
    threads = []
  }

  // MARK: For operations

  /// Calls `advance` until it says that all is done, and looks after the neighbours meanwhile.
  ///
  /// - Parameter advance: Says whether something has moved, and whether all is done.
  func carryOut(_ advance: () throws(TrainerError) -> (hasMoved: Bool, isDone: Bool)) throws(TrainerError) {
    var pause = Pause()
    while true {
      let (hasMoved, isDone) = try advance()
      if isDone { return }
      let isLeft = try attend()
      if let failure { throw failure }
      // Nobody waits for the operation any more.
      if isLeft { throw .toldElsewhere }
      // Threads that compute want the processor, until they wait for this one.
      let waits: ClosedRange<UInt32> = isAwaited.load(ordering: .relaxed) ? 20...200 : 200...1000
      if hasMoved { pause.reset() } else { pause.sleep(waits) }
    }
  }

  /// Waits for a transfer.
  func wait(for transfer: Transfer) throws(TrainerError) {
    try carryOut { () throws(TrainerError) in (false, try messenger.isDone(transfer)) }
  }

  // MARK: The threads

  private func work() {
    // As on threads that compute, so that sums have the same bits.
    wamim_flush_denormals()
    while true {
      let next = lock.withLock {
        if operation == nil { lock.sleep(atMost: 0.002) }
        defer { operation = nil }
        return operation
      }
      let outcome = perform(next)
      if let outcome {
        failure = failure ?? outcome
        if let next { abandoned.append(next) }
      }
      if next != nil {
        lock.withLock {
          self.outcome = outcome
          isBusy = false
          lock.wakeAll()
        }
      }
      // Neighbours that have ended cannot be told any more.
      if hasPassedEnd && (outcome != nil || neighbours.allSatisfy(\.hasSentAll)) {
        for neighbour in neighbours { neighbour.close() }
        lock.withLock { hasEnded = true }
        return
      }
    }
  }

  /// Carries out an operation, or only looks after the neighbours; returns what went wrong.
  private func perform(_ operation: (@Sendable () throws(TrainerError) -> Void)?) -> TrainerError? {
    do throws(TrainerError) {
      try attend()
      if let operation {
        if let failure { throw failure }
        try operation()
      }
      return nil
    } catch {
      return error
    }
  }

  /// Gives signs of life, and passes on what ranks tell each other; says whether this rank has come to its end.
  @discardableResult
  private func attend() throws(TrainerError) -> Bool {
    let (waiting, isEnding) = lock.withLock {
      defer { notices = [] }
      return (notices, self.isEnding)
    }
    for notice in waiting { try pass(notice, from: nil) }
    if wamim_interruption() != 0 { try pass(.interrupted, from: nil) }
    for neighbour in neighbours {
      while let notice = try neighbour.nextNotice() { try pass(notice, from: neighbour) }
      try neighbour.sendSignOfLife(every: UInt64(timeout * 1e9 / 8))
    }
    guard isEnding, endsBefore, !hasToldEnd else { return isEnding }
    hasToldEnd = true
    if messenger.rank < messenger.count - 1 { try neighbours.last?.send(.ended) } else { try pass(.allEnded, from: nil) }
    return true
  }

  /// Takes in what `source` tells, or this rank, and tells it to those on the other side.
  private func pass(_ notice: Notice, from source: Neighbour?) throws(TrainerError) {
    switch notice {
    case .alive: return
    case .ended:
      endsBefore = true
      return
    case .allEnded:
      hasPassedEnd = true
      if messenger.rank > 0 { try neighbours.first?.send(.allEnded) }
      return
    case .interrupted:
      guard !hasToldInterruption else { return }
      hasToldInterruption = true
      if source != nil { wamim_note_interruption(SIGTERM) }
    case .failed:
      guard !hasToldFailure else { return }
      hasToldFailure = true
      if source != nil { failure = failure ?? .toldElsewhere }
    }
    for neighbour in neighbours where neighbour !== source { try neighbour.send(notice) }
  }

  /// Ends the process where a neighbour has fallen silent.
  private func watch() {
    let tick = min(0.25, timeout / 8)
    var heard = neighbours.map { _ in 0 }
    var silence = neighbours.map { _ in 0.0 }
    while true {
      usleep(UInt32(tick * 1e6))
      if lock.withLock({ hasEnded }) { return }
      for (index, neighbour) in neighbours.enumerated() {
        let count = neighbour.noticesHeard.load(ordering: .relaxed)
        // A process that was stopped itself counts one tick.
        silence[index] = count == heard[index] ? silence[index] + tick : 0
        heard[index] = count
        guard silence[index] > timeout else { continue }
        // What failed may have been a message to that neighbour.
        if hasSaidWhy.load(ordering: .relaxed) { _exit(1) }
        let names = lock.withLock { self.names }
        Console.fail(
          "\(names[neighbour.rank]) has not answered \(names[messenger.rank]) for \(Format.fixed(timeout, decimals: 0)) s, so the run "
            + "ends: its process or machine is gone, or the network between them; the last checkpoint is kept")
        _exit(1)
      }
    }
  }
}

/// How long to sleep between two looks at what may have arrived: the longer, the longer nothing has.
private struct Pause {
  private var microseconds: UInt32 = 0

  mutating func reset() { microseconds = 0 }

  /// Sleeps for as many microseconds as `limits` allow, half as long again as the last time.
  mutating func sleep(_ limits: ClosedRange<UInt32>) {
    microseconds = min(limits.upperBound, max(limits.lowerBound, microseconds + microseconds / 2))
    usleep(microseconds)
  }
}
