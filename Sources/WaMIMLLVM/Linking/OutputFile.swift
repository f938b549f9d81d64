import Foundation

/// A path that something is written to: a file is replaced, whole or not at all, where symbolic links lead to.
package struct OutputFile {
  /// The path as it was given, which messages name.
  private let path: String
  /// What the path's symbolic links lead to, whether or not it is there.
  let target: URL

  package init(_ path: String) {
    self.path = path
    var target = URL(fileURLWithPath: path)
    // The system follows as many.
    for _ in 0..<40 {
      guard let next = try? FileManager.default.destinationOfSymbolicLink(atPath: target.path) else { break }
      target = URL(fileURLWithPath: next, relativeTo: target.deletingLastPathComponent()).absoluteURL
    }
    self.target = target
  }

  /// Writes `bytes`, to a device or a pipe directly.
  package func write(_ bytes: [UInt8]) throws(BackendError) {
    do {
      switch type {
      case nil, S_IFREG, S_IFDIR: try Data(bytes).write(to: target, options: .atomic)
      default: try FileHandle(forWritingTo: URL(fileURLWithPath: path)).write(contentsOf: Data(bytes))
      }
    } catch {
      throw BackendError(writing: path, failedWith: error)
    }
  }

  /// Throws where what stands there is nothing that an executable can replace.
  func requireReplaceable() throws(BackendError) {
    switch type {
    case nil, S_IFREG: return
    case S_IFDIR: throw BackendError("Cannot write \(path): it is a folder; name a file in it.")
    default: throw BackendError("Cannot write \(path): an executable cannot replace a device or a pipe.")
    }
  }

  /// Throws where what is written would overwrite the file at `input`, which messages call `name`.
  package func requireDistinct(from input: String, called name: String) throws(BackendError) {
    var (own, other) = (stat(), stat())
    guard stat(path, &own) == 0, stat(input, &other) == 0, own.st_mode & S_IFMT == S_IFREG else { return }
    guard own.st_dev == other.st_dev, own.st_ino == other.st_ino else { return }
    throw BackendError("Cannot write \(path): it is \(name), which would be lost; name another file.")
  }

  /// What stands there, after symbolic links, or nil for nothing.
  private var type: mode_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }
}

extension BackendError {
  /// Says that `path` cannot be written to, and what the operating system says of it in `error`.
  package init(writing path: String, failedWith error: any Error) {
    let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? any Error
    let cause = (underlying ?? error) as NSError
    let reason = cause.domain == NSPOSIXErrorDomain ? String(cString: strerror(Int32(cause.code))) : cause.localizedDescription
    self.init("Cannot write \(path): \(reason)")
  }
}
