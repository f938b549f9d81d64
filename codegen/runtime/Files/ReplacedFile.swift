import FoundationEssentials
import Glibc

/// A file that gets its name only once all of it is written: until then the bytes go to a temporary file beside what they replace.
///
/// Symbolic links stay, and what they lead to is replaced. A device or a pipe is no file to replace, and is written to directly.
package final class ReplacedFile {
  /// What to write to.
  package let file: OpenFile
  /// The path as it was given, which messages name.
  private let path: String
  /// What the file is called until it is whole, and then; nil where it is written to directly.
  private var names: (temporary: String, final: String)?

  /// Opens what will be at `path`, so that one knows before the work whether the result can be written.
  package init(_ path: String) throws(TrainerError) {
    guard !path.isEmpty else { throw TrainerError("cannot write a file without a name; give it one") }
    self.path = path
    var status = stat()
    let type = stat(path, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
    guard type != S_IFDIR else { throw TrainerError("cannot write \(path): it is a folder, not a file") }
    guard type == S_IFREG else {
      file = try OpenFile(creating: path)
      return
    }
    let (final, temporary) = Self.names(for: path)
    file = try OpenFile(creating: temporary, for: path)
    names = (temporary, final)
  }

  deinit {
    if let names { unlink(names.temporary) }
  }

  /// Forces what was written to the disk, and gives it its name.
  package func commit() throws(TrainerError) {
    try file.synchronize()
    guard let names else { return }
    guard rename(names.temporary, names.final) == 0 else {
      throw TrainerError("cannot write \(path): \(FileSystem.lastError())")
    }
    self.names = nil
    FileSystem.synchronizeFolder(FileSystem.parent(of: names.final))
  }

  /// What writing to `path` may change, before what it held is replaced and then.
  static func paths(for path: String) -> [String] { [path, names(for: path).temporary] }

  private static func names(for path: String) -> (final: String, temporary: String) {
    let final = endOfLinks(from: path)
    // Always the same name, so that what a killed process leaves behind is gone after the next write.
    return (final, "\(final).tmp")
  }

  /// What the symbolic links at `path` lead to, whether or not it is there.
  private static func endOfLinks(from path: String) -> String {
    var path = path
    // The system follows as many.
    for _ in 0..<40 {
      guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else { break }
      path = target.hasPrefix("/") ? target : "\(FileSystem.parent(of: path))/\(target)"
    }
    return path
  }
}
