/// What carries bytes between the processes of a run; one thread at a time calls it.
package protocol Messenger: AnyObject, Sendable {
  /// Which of the processes this one is, from 0.
  var rank: Int { get }
  var count: Int { get }

  /// Calls the processes by `names` in messages.
  func setNames(_ names: [String])

  /// Begins to send `bytes`, which have to stay as they are until the transfer is done.
  func send(_ bytes: UnsafeRawBufferPointer, to peer: Int, as kind: MessageKind) throws(TrainerError) -> Transfer

  /// Begins to receive as many bytes as `peer` sends of that kind; messages of a kind arrive in the order they are sent in.
  func receive(_ bytes: UnsafeMutableRawBufferPointer, from peer: Int, as kind: MessageKind) throws(TrainerError) -> Transfer

  /// Whether a transfer is done, which is asked no more of it then.
  func isDone(_ transfer: Transfer) throws(TrainerError) -> Bool

  /// Gives up to receive what nobody will send.
  func cancel(_ transfer: Transfer)

  /// Sends and receives no more.
  func end()
}

extension Messenger {
  package func setNames(_ names: [String]) {}
}

/// A message on its way, by a number that its messenger knows.
package struct Transfer: Sendable {
  package let number: UInt

  package init(number: UInt) { self.number = number }
}

/// What a message is about, by which those that wait for it tell it from others.
package enum MessageKind: Int32, Sendable {
  /// Signs of life, and notices that nobody waits for.
  case notice = 1
  /// The length of what follows of `report`.
  case length
  /// What ranks tell each other.
  case report
  /// Sums of gradients on their way up the ranks.
  case sum
  /// Gradients of the whole step on their way down.
  case result
}
