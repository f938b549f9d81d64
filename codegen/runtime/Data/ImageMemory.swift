import Glibc

/// Memory for an image's file or its pixels, of which there may be too little: that is an error here, where an array ends the process.
final class ImageMemory: @unchecked Sendable {
  let contents: UnsafeMutableBufferPointer<UInt8>

  /// Takes memory for `count` bytes, whatever they are.
  init(_ count: Int) throws(TrainerError) {
    guard let start = malloc(max(1, count)) else {
      throw TrainerError("there is no memory left for \(Format.bytes(count)) of an image")
    }
    contents = UnsafeMutableBufferPointer(start: start.assumingMemoryBound(to: UInt8.self), count: count)
  }

  /// Takes memory for a copy of `bytes`.
  convenience init(copying bytes: [UInt8]) throws(TrainerError) {
    try self.init(bytes.count)
    _ = contents.update(fromContentsOf: bytes)
  }

  deinit {
    free(contents.baseAddress)
  }
}

/// Pixels that lie in somebody else's memory, row by row as in an `Image`.
package struct PixelView {
  package let width: Int
  package let height: Int
  package let channels: Int
  package let pixels: UnsafeBufferPointer<UInt8>
}

/// What threads may take together for large images: as much as there is, in turns where it does not suffice for all.
package final class DecodingMemory: @unchecked Sendable {
  /// The whole process's.
  static let shared = DecodingMemory(available: limit)

  private let lock = ThreadLock()
  private let available: @Sendable () -> AvailableMemory?
  /// Bytes that large images take now.
  private var taken = 0

  /// Less is taken without looking, as it is soon given back.
  private static let smallBytes = 16 << 20

  /// What is left to everything else.
  private static let reserveBytes = 32 << 20

  /// Microseconds to wait where there is too little, as other programs may give some back.
  private static let pauses: [UInt32] = [100_000, 400_000]

  /// - Parameter available: Says how much memory there is.
  package init(available: @escaping @Sendable () -> AvailableMemory?) {
    self.available = available
  }

  /// Calls `body` once there are `count` bytes for it; an error where there are not even for it alone.
  ///
  /// - Parameter what: What messages call that which takes them.
  package func withBytes<Result>(
    _ count: Int, for what: String, _ body: () throws(TrainerError) -> Result
  ) throws(TrainerError) -> Result {
    guard count > Self.smallBytes else { return try body() }
    try take(count, for: what)
    defer {
      lock.withLock {
        taken -= count
        lock.wakeAll()
      }
    }
    return try body()
  }

  private func take(_ count: Int, for what: String) throws(TrainerError) {
    var pauses = Self.pauses[...]
    while true {
      // What others have taken may be in use already or not, so it is counted in any case.
      let shortage = lock.withLock { () -> AvailableMemory? in
        while true {
          guard let limit = available(), limit.bytes - taken < count + Self.reserveBytes else {
            taken += count
            return nil
          }
          if taken == 0 { return limit }
          lock.sleep()
        }
      }
      guard let shortage else { return }
      guard let pause = pauses.popFirst() else {
        throw TrainerError(
          "\(what) are too many for the memory there is: they need \(Format.bytes(count)), and \(shortage.limitedBy) leaves "
            + Format.bytes(shortage.bytes))
      }
      usleep(pause)
    }
  }

  /// The tightest limit of all.
  @Sendable private static func limit() -> AvailableMemory? {
    [AvailableMemory.resident(), AvailableMemory.addressSpace()].compactMap { $0 }.min { $0.bytes < $1.bytes }
  }
}
