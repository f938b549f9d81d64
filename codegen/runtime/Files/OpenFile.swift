import Glibc

/// A file that is open for reading or for writing, and is closed when the last reference goes.
package final class OpenFile: Sendable {
  /// What messages call the file.
  package let path: String
  /// The file's size when it was opened.
  package let byteCount: Int
  private let descriptor: Int32

  /// Opens the file at `path` for reading.
  package convenience init(reading path: String) throws(TrainerError) {
    try self.init(reading: Array(path.utf8))
  }

  /// Opens the file whose path, not always of any encoding, is `bytes` for reading.
  package init(reading bytes: [UInt8]) throws(TrainerError) {
    let path = String(decoding: bytes, as: UTF8.self)
    let descriptor = (bytes + [0]).withUnsafeBytes { name in
      name.baseAddress.map { open($0.assumingMemoryBound(to: CChar.self), O_RDONLY | O_CLOEXEC) } ?? -1
    }
    guard descriptor >= 0 else { throw Self.failure(to: "read", path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
      close(descriptor)
      throw TrainerError("cannot read \(path): it is a folder, not a file")
    }
    self.path = path
    self.descriptor = descriptor
    byteCount = Int(status.st_size)
  }

  /// Makes the file at `path`, or empties it, and opens it for writing; errors name `shown` where that is what a person asked for.
  package convenience init(creating path: String, for shown: String? = nil) throws(TrainerError) {
    try self.init(writing: path, flags: O_CREAT | O_TRUNC, shown: shown ?? path)
  }

  /// Opens the file at `path` for writing after what it holds; errors name `shown` where that is what a person asked for.
  package convenience init(appendingTo path: String, for shown: String? = nil) throws(TrainerError) {
    try self.init(writing: path, flags: O_CREAT | O_APPEND, shown: shown ?? path)
  }

  private init(writing path: String, flags: Int32, shown: String) throws(TrainerError) {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC | flags, 0o666)
    guard descriptor >= 0 else { throw Self.failure(to: "write", shown) }
    self.path = shown
    self.descriptor = descriptor
    byteCount = 0
  }

  deinit {
    close(descriptor)
  }

  /// The error of a call that could not do what `verb` says to the file at `path`, with the operating system's number of it.
  private static func failure(to verb: String, _ path: String, code: Int32 = errno) -> TrainerError {
    TrainerError("cannot \(verb) \(path): \(FileSystem.describe(code))", code: code)
  }

  /// All bytes from where the last read ended, of which there may be at most `limit`.
  func allBytes(limit: Int) throws(TrainerError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = max(4096, byteCount)
    while true {
      guard max(bytes.count, byteCount) <= limit else { throw TrainerError("\(path) is larger than \(Format.bytes(limit))") }
      let count = try read(appendingTo: &bytes, upTo: chunk)
      // Files of /proc say that they are empty, so there read until nothing comes.
      if count == 0 || bytes.count == byteCount { return bytes }
      chunk = 4096
    }
  }

  /// Reads at most `limit` bytes from where the last read ended, and returns how many there were.
  private func read(appendingTo bytes: inout [UInt8], upTo limit: Int) throws(TrainerError) -> Int {
    let start = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: limit))
    var count = -1
    repeat {
      count = bytes.withUnsafeMutableBytes { buffer in
        buffer.baseAddress.map { Glibc.read(descriptor, $0 + start, limit) } ?? 0
      }
    } while count < 0 && errno == EINTR
    let code = errno
    bytes.removeLast(limit - max(count, 0))
    guard count >= 0 else { throw Self.failure(to: "read", path, code: code) }
    return count
  }

  /// Fills `target` with the bytes from `offset` on.
  package func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws(TrainerError) {
    var done = 0
    while done < target.count {
      guard let base = target.baseAddress else { return }
      let count = pread(descriptor, base + done, target.count - done, offset + done)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw Self.failure(to: "read", path) }
      guard count > 0 else { throw TrainerError("cannot read \(path): it ended while it was being read") }
      done += count
    }
  }

  /// Writes all of `bytes`.
  package func write(_ bytes: UnsafeRawBufferPointer) throws(TrainerError) {
    var done = 0
    while done < bytes.count {
      guard let base = bytes.baseAddress else { return }
      let count = Glibc.write(descriptor, base + done, bytes.count - done)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw TrainerError("cannot write \(path): \(FileSystem.lastError())") }
      done += count
    }
  }

  /// Writes all of `bytes`.
  package func write(_ bytes: RawSpan) throws(TrainerError) {
    try bytes.withUnsafeBytes { (bytes) throws(TrainerError) in try write(bytes) }
  }

  /// Writes `text` as UTF-8.
  package func write(_ text: String) throws(TrainerError) {
    try write(Array(text.utf8))
  }

  /// Writes all of `bytes`.
  package func write(_ bytes: [UInt8]) throws(TrainerError) {
    let result: Result<Void, TrainerError> = bytes.withUnsafeBytes { buffer in
      Result { () throws(TrainerError) in try write(buffer) }
    }
    try result.get()
  }

  /// Forces what was written to the disk.
  package func synchronize() throws(TrainerError) {
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw TrainerError("cannot write \(path): \(FileSystem.lastError())")
    }
  }

  /// Keeps other processes from locking the same file while it is open.
  func lock() -> LockResult {
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      if errno != EINTR { return LockResult(error: errno) }
    }
    return .held
  }
}
