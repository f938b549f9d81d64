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
    default: throw BackendError("Cannot write \(path): an executable cannot take the place of a device or a pipe.")
    }
  }

  /// What stands there, after symbolic links, or nil for nothing.
  private var type: mode_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
  }
}

extension BackendError {
  /// Says that `place` cannot be written to, and what the operating system says of it in `error`.
  package init(writing place: String, failedWith error: any Error) {
    let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? any Error
    let cause = (underlying ?? error) as NSError
    let reason = cause.domain == NSPOSIXErrorDomain ? String(cString: strerror(Int32(cause.code))) : cause.localizedDescription
    self.init("Cannot write \(place): \(reason)")
  }
}
