import Foundation
import WaMIMRuntime

/// Carries messages between threads that play the ranks of a run.
final class PostOffice: @unchecked Sendable {
  private struct Address: Hashable {
    var sender: Int
    var receiver: Int
    var kind: MessageKind
  }

  private let lock = NSLock()
  private let count: Int
  private var letters: [Address: [[UInt8]]] = [:]

  init(ranks: Int) { count = ranks }

  /// What the rank of number `rank` sends and receives with.
  func messenger(_ rank: Int) -> any Messenger { Desk(self, rank: rank, count: count) }

  /// One rank's messenger.
  private final class Desk: Messenger, @unchecked Sendable {
    let rank: Int
    let count: Int
    private let office: PostOffice
    /// What is waited for, by the numbers of transfers; those that send are done at once.
    private var waiting: [UInt: (address: Address, bytes: UnsafeMutableRawBufferPointer)] = [:]
    private var next: UInt = 1

    init(_ office: PostOffice, rank: Int, count: Int) {
      (self.office, self.rank, self.count) = (office, rank, count)
    }

    func send(_ bytes: UnsafeRawBufferPointer, to peer: Int, as kind: MessageKind) -> Transfer {
      office.lock.withLock {
        office.letters[Address(sender: rank, receiver: peer, kind: kind), default: []].append(Array(bytes))
      }
      return Transfer(number: 0)
    }

    func receive(_ bytes: UnsafeMutableRawBufferPointer, from peer: Int, as kind: MessageKind) -> Transfer {
      defer { next += 1 }
      waiting[next] = (Address(sender: peer, receiver: rank, kind: kind), bytes)
      return Transfer(number: next)
    }

    func isDone(_ transfer: Transfer) -> Bool {
      guard let (address, bytes) = waiting[transfer.number] else { return true }
      let letter = office.lock.withLock { () -> [UInt8]? in
        guard office.letters[address]?.isEmpty == false else { return nil }
        return office.letters[address]?.removeFirst()
      }
      guard let letter else { return false }
      bytes.copyBytes(from: letter)
      waiting[transfer.number] = nil
      return true
    }

    func cancel(_ transfer: Transfer) { waiting[transfer.number] = nil }

    func end() {}
  }
}

/// Lets as many threads as there are ranks do what `body` does with the group of each, and returns what they return, in order.
func withRanks<Result: Sendable>(
  _ count: Int, program: @escaping @Sendable (Int) -> String = { _ in "" }, _ body: @escaping @Sendable (RankGroup) throws -> Result
) throws -> [Result?] {
  let office = PostOffice(ranks: count)
  let results = Results<Result>(count: count)
  let threads = try (0..<count).map { rank in
    try WorkerThread(name: "rank \(rank)") {
      do {
        let group = try RankGroup(
          office.messenger(rank), timeout: 60,
          member: .init(host: "h\(rank / 2)", processors: 4, machineProcessors: 4, program: program(rank)))
        try group.run { results.note(try body(group), rank) }
      } catch {
        results.note(error, rank)
      }
    }
  }
  for thread in threads { thread.join() }
  return results.all
}

/// What ranks return.
private final class Results<Result: Sendable>: @unchecked Sendable {
  private let lock = NSLock()
  private var values: [Result?]
  private(set) var errors: [Int: any Error] = [:]

  init(count: Int) { values = Array(repeating: nil, count: count) }

  func note(_ value: Result, _ rank: Int) { lock.withLock { values[rank] = value } }
  func note(_ error: any Error, _ rank: Int) { lock.withLock { errors[rank] = error } }

  var all: [Result?] { lock.withLock { values } }
}
