import Glibc

/// What changes when a folder's entries or a file's bytes do.
struct FileStamp: Sendable, Equatable {
  /// Nanoseconds since 1970 until the last change.
  var modified: Int64
  var byteCount: Int64
  /// Names of the file; for folders, two more than folders in it on most file systems.
  var links: UInt64
}

/// What the operating system says of a path.
package struct FileStatus {
  enum Kind { case folder, file, other }

  let kind: Kind
  let stamp: FileStamp
  /// What tells two paths to one file apart from paths to two files.
  let identity: Identity

  package struct Identity: Hashable, Sendable {
    var device: UInt
    var number: UInt
  }

  /// Asks about what `path` leads to, through links; nil where there is nothing, or it is out of reach, but for a failure of the system.
  static func of(_ path: [UInt8]) throws(TrainerError) -> FileStatus? {
    try SystemFailure.retrying { () throws(TrainerError) in
      if let status = FileStatus(path) { return status }
      let code = errno
      guard SystemFailure.codes.contains(code) else { return nil }
      throw TrainerError("cannot read \(FilePath.text(path)): \(FileSystem.describe(code))", code: code)
    }
  }

  /// Asks about what `path` leads to, through links; nil where that does not work.
  init?(_ path: [UInt8]) {
    var status = stat()
    let code = (path + [0]).withUnsafeBytes { name in
      name.baseAddress.map { stat($0.assumingMemoryBound(to: CChar.self), &status) } ?? -1
    }
    guard code == 0 else { return nil }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: kind = .folder
    case S_IFREG: kind = .file
    default: kind = .other
    }
    let time = status.st_mtim
    stamp = FileStamp(
      modified: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec), byteCount: Int64(status.st_size),
      links: UInt64(status.st_nlink))
    identity = Identity(device: UInt(status.st_dev), number: UInt(status.st_ino))
  }
}
