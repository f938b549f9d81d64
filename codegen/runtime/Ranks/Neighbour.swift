import Synchronization

/// A rank before or after this one in the chain, as the thread that sends and receives knows it.
final class Neighbour: @unchecked Sendable {
  let rank: Int
  /// How many notices have come; another thread watches whether it grows.
  let noticesHeard = Atomic<Int>(0)

  private let messenger: any Messenger
  private let incoming = UnsafeMutableRawBufferPointer.allocate(byteCount: Notice.byteCount, alignment: 8)
  private var receiving: Transfer?
  /// Notices on their way, each with its bytes.
  private var sending: [(transfer: Transfer, bytes: UnsafeMutableRawBufferPointer)] = []
  private var lastSent: UInt64 = 0

  init(rank: Int, messenger: any Messenger) {
    self.rank = rank
    self.messenger = messenger
  }

  /// Sends `notice`, whenever it gets through.
  func send(_ notice: Notice) throws(TrainerError) {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: Notice.byteCount, alignment: 8)
    bytes.storeBytes(of: notice.rawValue, as: Int32.self)
    lastSent = Clock.nanoseconds
    sending.append((try messenger.send(UnsafeRawBufferPointer(bytes), to: rank, as: .notice), bytes))
  }

  /// Sends a sign of life where the last notice is `interval` nanoseconds ago and has been sent.
  func sendSignOfLife(every interval: UInt64) throws(TrainerError) {
    guard sending.isEmpty, Clock.nanoseconds - lastSent >= interval else { return }
    try send(.alive)
  }

  /// The next notice that has come.
  func nextNotice() throws(TrainerError) -> Notice? {
    while let first = sending.first, try messenger.isDone(first.transfer) {
      first.bytes.deallocate()
      sending.removeFirst()
    }
    guard let transfer = receiving else {
      receiving = try messenger.receive(incoming, from: rank, as: .notice)
      return nil
    }
    guard try messenger.isDone(transfer) else { return nil }
    receiving = nil
    noticesHeard.add(1, ordering: .relaxed)
    let notice = Notice(rawValue: incoming.load(as: Int32.self)) ?? .alive
    receiving = try messenger.receive(incoming, from: rank, as: .notice)
    return notice
  }

  /// Whether all notices have been sent.
  var hasSentAll: Bool { sending.isEmpty }

  /// Waits for no more notices.
  func close() {
    if let receiving { messenger.cancel(receiving) }
    receiving = nil
  }
}

/// What a rank tells its neighbours beside what they wait for.
enum Notice: Int32 {
  /// The process is there.
  case alive
  /// A signal asks the run to end.
  case interrupted
  /// A rank has failed and said why.
  case failed
  /// All ranks up to the one that tells have come to their end, or all have.
  case ended, allEnded

  static let byteCount = 8
}
