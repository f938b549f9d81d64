import FoundationEssentials
import Glibc

/// Files by path, with errors that name them.
package enum FileSystem {
  /// The operating system's words for the last call's failure.
  package static func lastError() -> String { describe(errno) }

  /// The operating system's words for `code`.
  package static func describe(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
  }

  /// All bytes of the file at `path`, of which there may be at most `limit`.
  package static func read(_ path: String, limit: Int = 1 << 30) throws(TrainerError) -> [UInt8] {
    try OpenFile(reading: path).allBytes(limit: limit)
  }

  /// The text of the file at `path`.
  package static func readText(_ path: String) throws(TrainerError) -> String {
    String(decoding: try read(path), as: UTF8.self)
  }

  /// Replaces the file at `path` by what `body` writes, at once and only where all of it could be written.
  package static func replace(_ path: String, writing body: (OpenFile) throws(TrainerError) -> Void) throws(TrainerError) {
    let replaced = try ReplacedFile(path)
    try body(replaced.file)
    try replaced.commit()
  }

  /// Copies the file at `path`, or its first `count` bytes, to `target`.
  static func copy(_ path: String, upTo count: Int = .max, to target: String) throws(TrainerError) {
    let source = try OpenFile(reading: path)
    let end = min(count, source.byteCount)
    try replace(target) { (file) throws(TrainerError) in
      var offset = 0
      while offset < end {
        let bytes = try source.bytes(at: offset, count: min(1 << 20, end - offset))
        try file.write(bytes)
        offset += bytes.count
      }
    }
  }

  /// Makes the folder `path`, and those above it; messages tell to give another one by `option`.
  package static func createFolder(_ path: String, option: String = "--out") throws(TrainerError) {
    var partial = path.hasPrefix("/") ? "/" : ""
    for component in path.split(separator: "/") {
      partial += partial.isEmpty || partial.hasSuffix("/") ? String(component) : "/\(component)"
      if mkdir(partial, 0o777) != 0 && errno != EEXIST {
        throw TrainerError("cannot make the folder \(partial): \(lastError())")
      }
    }
    guard kind(of: path) == .folder else {
      throw TrainerError("\(path) is not a folder; give another \(option)")
    }
  }

  /// Removes the folder `path` where nothing is in it.
  static func removeEmptyFolder(_ path: String) { rmdir(path) }

  /// What a path leads to.
  package enum Kind { case missing, folder, file }

  package static func kind(of path: String) -> Kind {
    var status = stat()
    guard stat(path, &status) == 0 else { return .missing }
    return status.st_mode & S_IFMT == S_IFDIR ? .folder : .file
  }

  /// `path` from the root of the file system on.
  static func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/") else { return path }
    let folder = FileManager.default.currentDirectoryPath
    return folder.hasSuffix("/") ? folder + path : "\(folder)/\(path)"
  }

  /// Whether two paths lead to the same file or folder, or are the same where nothing is there yet.
  static func isSame(_ first: String, _ second: String) -> Bool {
    if let identity = FileStatus(Array(first.utf8))?.identity { return identity == FileStatus(Array(second.utf8))?.identity }
    let components = { (path: String) in absolute(path).split(separator: "/").filter { $0 != "." } }
    return components(first) == components(second)
  }

  /// The folder that holds `path`.
  package static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Forces a folder's entries to the disk, where its file system can.
  static func synchronizeFolder(_ path: String) {
    let folder = open(path, O_RDONLY | O_DIRECTORY)
    if folder >= 0 {
      fsync(folder)
      close(folder)
    }
  }
}
