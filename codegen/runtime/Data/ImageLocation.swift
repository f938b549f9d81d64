import Glibc

/// What `--data` names: a folder of images or of shards, or shards one by one.
package struct ImageLocation: Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    /// A folder, searched to any depth.
    case folder([UInt8])
    /// Tar archives in this order.
    case shards([[UInt8]])
  }

  let kind: Kind
  /// What messages call the location.
  let name: String

  /// Names of archives that are read end in one of these.
  private static let archiveEndings = [".tar", ".tar.gz", ".tgz"]

  /// Names of other archives end in one of these.
  private static let otherArchiveEndings = [
    ".zip", ".7z", ".rar", ".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzma", ".tbz", ".tbz2", ".txz", ".tzst",
  ]

  /// Whether the file `name` is taken for a tar archive.
  static func isArchive(_ name: [UInt8]) -> Bool { ends(name, in: archiveEndings) }

  /// Whether the file `name` is taken for an archive that is not read.
  static func isOtherArchive(_ name: [UInt8]) -> Bool { ends(name, in: otherArchiveEndings) && !isArchive(name) }

  private static func ends(_ name: [UInt8], in endings: [String]) -> Bool {
    let text = FilePath.text(name.suffix(10)).lowercased()
    return endings.contains { text.hasSuffix($0) }
  }

  /// Finds out what `text` names: a folder, a tar archive, packed or not, or archives in the notation of braces.
  package init(_ text: String) throws(TrainerError) {
    name = text
    // A failure of the system is no missing folder.
    _ = try FileStatus.of(Array(text.utf8))
    switch FileSystem.kind(of: text) {
    case .folder:
      kind = .folder(Self.absolute(text))
    case .file:
      let isArchive = Self.isArchive(Array(text.utf8)) ? true : try Self.beginsLikeArchive(text)
      guard isArchive else {
        throw TrainerError("\(text) is neither a folder nor a tar archive; name the folder that holds the images")
      }
      kind = .shards([Self.absolute(text)])
    case .missing:
      guard text.utf8.contains(UInt8(ascii: "{")) else {
        throw TrainerError("no such folder: \(text); name the folder that holds the images")
      }
      let shards = try BraceExpansion.expand(text)
      let missing = shards.filter { FileSystem.kind(of: $0) != .file }
      if let first = missing.first {
        throw TrainerError("\(missing.count) of the \(shards.count) shards that \(text) names are not there, such as \(first)")
      }
      kind = .shards(shards.map(Self.absolute))
    }
  }

  /// A text that is the same only for the same locations.
  static func key(of locations: [ImageLocation]) -> [UInt8] { Array(locations.map(\.key).joined(separator: Array("\n\n".utf8))) }

  private var key: [UInt8] {
    switch kind {
    case .folder(let path): Array("folder\n".utf8) + path
    case .shards(let paths): Array("shards\n".utf8) + paths.joined(separator: [UInt8(ascii: "\n")])
    }
  }

  private static func beginsLikeArchive(_ path: String) throws(TrainerError) -> Bool {
    let file = try OpenFile(reading: path)
    if try ShardScan.isPacked(file) { return true }
    var reader = TarReader(file)
    return try reader.next() != nil
  }

  /// `path` from the root of the file system on, as a run may be continued from another folder.
  private static func absolute(_ path: String) -> [UInt8] {
    guard let resolved = realpath(path, nil) else { return Array(path.utf8) }
    defer { free(resolved) }
    return Array(UnsafeBufferPointer(start: resolved, count: strlen(resolved))).map(UInt8.init(bitPattern:))
  }
}
