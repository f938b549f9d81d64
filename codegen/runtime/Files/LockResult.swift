import Glibc

/// How it went to lock a file.
package enum LockResult: Equatable, Sendable {
  case held
  /// Another process holds it.
  case taken
  /// The file system cannot lock, for the reason that the operating system tells.
  case unsupported(String)

  /// What the error `code` of `flock` means.
  package init(error code: Int32) {
    self = code == EWOULDBLOCK ? .taken : .unsupported(FileSystem.describe(code))
  }
}
