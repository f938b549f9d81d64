import Glibc

/// The files that images are read from: open while they are read, few at a time, so that descriptors are left for everything else.
final class DataFiles: @unchecked Sendable {
  /// The whole process's.
  static let shared = DataFiles(limit: limit())

  private let lock = ThreadLock()
  private let limit: Int
  private var openCount = 0

  /// - Parameter limit: Files that may be open at a time.
  init(limit: Int) {
    self.limit = limit
  }

  /// Reads the bytes within `extent` of the file at `path`, or of what it unpacks to, or all of it.
  func read(_ path: [UInt8], _ extent: ImageIndex.Extent? = nil, packing: GzipIndex? = nil) throws(TrainerError) -> ImageMemory {
    try withFile(path) { (file) throws(TrainerError) in
      let extent = extent ?? ImageIndex.Extent(offset: 0, byteCount: file.byteCount)
      guard extent.byteCount <= ImageFile.maximumBytes else {
        throw TrainerError("it is larger than \(Format.bytes(ImageFile.maximumBytes))")
      }
      return try DecodingMemory.shared.withBytes(extent.byteCount, for: "\(extent.byteCount) bytes") { () throws(TrainerError) in
        let memory = try ImageMemory(extent.byteCount)
        let stored: any StoredBytes = packing.map { GzipReader(file, index: $0) } ?? file
        try stored.read(into: UnsafeMutableRawBufferPointer(memory.contents), at: extent.offset)
        return memory
      }
    }
  }

  /// Calls `body` with the file at `path`, opened; again where the system failed, as it may be another file system's server by then.
  private func withFile<Result>(
    _ path: [UInt8], _ body: (OpenFile) throws(TrainerError) -> Result
  ) throws(TrainerError) -> Result {
    lock.withLock {
      while openCount >= limit { lock.sleep() }
      openCount += 1
    }
    defer {
      lock.withLock {
        openCount -= 1
        lock.wakeAll()
      }
    }
    return try SystemFailure.retrying { () throws(TrainerError) in try body(try OpenFile(reading: path)) }
  }

  /// A quarter of what the process may open beside what it needs in any case.
  private static func limit() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1 }
    return max(1, (Int(min(limit.rlim_cur, 1024)) - 32) / 4)
  }
}
