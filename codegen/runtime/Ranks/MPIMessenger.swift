import CMessages
import Synchronization

/// Messages by the MPI that the executable was linked with.
final class MPIMessenger: Messenger, @unchecked Sendable {
  let rank: Int
  let count: Int
  private let messages: wamim_messages
  private let names = Mutex<[String]>([])

  /// Starts MPI, or returns nil where the executable has none.
  init?() throws(TrainerError) {
    guard let messages = wamim_linked_messages()?.pointee else { return nil }
    var (rank, count): (Int32, Int32) = (0, 1)
    let code = messages.start(&rank, &count)
    self.messages = messages
    (self.rank, self.count) = (Int(rank), Int(count))
    try check(code, "MPI could not be started")
  }

  func setNames(_ names: [String]) { self.names.withLock { $0 = names } }

  private func name(_ peer: Int) -> String { names.withLock { $0.indices.contains(peer) ? $0[peer] : "rank \(peer)" } }

  func send(_ bytes: UnsafeRawBufferPointer, to peer: Int, as kind: MessageKind) throws(TrainerError) -> Transfer {
    var request: UnsafeMutableRawPointer?
    try check(
      messages.send(bytes.baseAddress, Int32(bytes.count), Int32(peer), kind.rawValue, &request), "cannot send to \(name(peer))")
    return Transfer(number: UInt(bitPattern: request))
  }

  func receive(_ bytes: UnsafeMutableRawBufferPointer, from peer: Int, as kind: MessageKind) throws(TrainerError) -> Transfer {
    var request: UnsafeMutableRawPointer?
    try check(
      messages.receive(bytes.baseAddress, Int32(bytes.count), Int32(peer), kind.rawValue, &request),
      "cannot receive from \(name(peer))")
    return Transfer(number: UInt(bitPattern: request))
  }

  func isDone(_ transfer: Transfer) throws(TrainerError) -> Bool {
    var done: Int32 = 0
    try check(messages.is_done(UnsafeMutableRawPointer(bitPattern: transfer.number), &done), "a message failed")
    return done != 0
  }

  func cancel(_ transfer: Transfer) {
    messages.cancel(UnsafeMutableRawPointer(bitPattern: transfer.number))
  }

  func end() { messages.end() }

  private func check(_ code: Int32, _ problem: String) throws(TrainerError) {
    guard code != 0 else { return }
    var text = [CChar](repeating: 0, count: 512)
    messages.describe(code, &text, Int32(text.count))
    let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // An MPI tells from which of its functions to which the error came; the last one says what it was.
    throw TrainerError("\(problem): \(reason.split(separator: "\n").last ?? "no reason is given")")
  }
}
