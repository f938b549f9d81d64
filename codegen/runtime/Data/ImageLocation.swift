import Glibc

/// What `--data` names: a folder of images or of shards, or shards one by one.
package enum ImageLocation: Sendable, Equatable {
  /// A folder, searched to any depth.
  case folder([UInt8])
  /// Tar archives in this order.
  case shards([[UInt8]])

  /// Finds out what `text` names: a folder, a tar archive, or archives in the notation of braces.
  package init(_ text: String) throws(TrainerError) {
    // A failure of the system is no missing folder.
    _ = try FileStatus.of(Array(text.utf8))
    switch FileSystem.kind(of: text) {
    case .folder:
      self = .folder(Self.absolute(text))
    case .file:
      let isArchive = text.hasSuffix(".tar") ? true : try Self.beginsLikeArchive(text)
      guard isArchive else {
        throw TrainerError("\(text) is neither a folder nor a tar archive; give --data the folder that holds the images")
      }
      self = .shards([Self.absolute(text)])
    case .missing:
      guard text.utf8.contains(UInt8(ascii: "{")) else {
        throw TrainerError("no such folder: \(text); give --data the folder that holds the images")
      }
      let shards = try BraceExpansion.expand(text)
      let missing = shards.filter { FileSystem.kind(of: $0) != .file }
      if let first = missing.first {
        throw TrainerError("\(missing.count) of the \(shards.count) shards that \(text) names are not there, such as \(first)")
      }
      self = .shards(shards.map(Self.absolute))
    }
  }

  /// A text that is the same only for the same location.
  var key: [UInt8] {
    switch self {
    case .folder(let path): Array("folder\n".utf8) + path
    case .shards(let paths): Array("shards\n".utf8) + paths.joined(separator: [UInt8(ascii: "\n")])
    }
  }

  private static func beginsLikeArchive(_ path: String) throws(TrainerError) -> Bool {
    var reader = TarReader(try OpenFile(reading: path))
    return try reader.next() != nil
  }

  /// `path` from the root of the file system on, as a run may be continued from another folder.
  private static func absolute(_ path: String) -> [UInt8] {
    guard let resolved = realpath(path, nil) else { return Array(path.utf8) }
    defer { free(resolved) }
    return Array(UnsafeBufferPointer(start: resolved, count: strlen(resolved))).map(UInt8.init(bitPattern:))
  }
}
