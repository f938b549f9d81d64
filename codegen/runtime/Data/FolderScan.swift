import Glibc

/// A walk through a folder and the folders within it, in the order of paths, following links but never in a circle.
struct FolderScan {
  /// What was found.
  private(set) var index = ImageIndex()
  /// Tar archives beside the images, which may be shards.
  private(set) var archives: [[UInt8]] = []
  /// Folders that could not be read.
  private(set) var unreadable: [[UInt8]] = []

  /// What is there besides.
  private(set) var leftOut = LeftOut()

  private var visited: Set<FileStatus.Identity> = []
  private var progress: ScanProgress

  init(_ root: [UInt8], progress: ScanProgress) throws(TrainerError) {
    self.progress = progress
    try visit(root)
  }

  /// One name in a folder.
  private struct Entry {
    enum Kind { case folder, file, danglingLink, special }

    var name: [UInt8]
    var kind: Kind
    var isFolder: Bool { kind == .folder }
  }

  /// Takes in the folder at `path`.
  private mutating func visit(_ path: [UInt8]) throws(TrainerError) {
    guard let status = try FileStatus.of(path) else { return }
    guard visited.insert(status.identity).inserted else { return leftOut.add(.repeatedFolder, FilePath.text(path)) }
    guard let entries = try Self.entries(of: path) else {
      unreadable.append(path)
      return
    }
    let container = index.add(ImageIndex.Container(kind: .folder, path: path, stamp: status.stamp))
    for entry in entries {
      let child = FilePath.join(path, entry.name)
      switch entry.kind {
      case .folder: try visit(child)
      case .special: leftOut.add(.specialFile, FilePath.text(child))
      // One that is named like an image stays, to be reported when it is read.
      case .danglingLink where !ImageCandidate.isNamedLikeImage(entry.name): leftOut.add(.danglingLink, FilePath.text(child))
      case .danglingLink, .file: try visitFile(child, named: entry.name, in: container)
      }
    }
  }

  /// Takes in the file `name` at `path`.
  private mutating func visitFile(_ path: [UInt8], named name: [UInt8], in container: UInt32) throws(TrainerError) {
    if ImageLocation.isArchive(name) {
      archives.append(path)
    } else if try ImageCandidate.isImage(name, firstBytes: { () throws(TrainerError) in try Self.firstBytes(of: path) }) {
      index.add(name, in: container)
      progress.advance(images: index.count)
    } else {
      leftOut.add(ImageLocation.isOtherArchive(name) ? .otherArchive : .otherFile, FilePath.text(path))
    }
  }

  /// The folders and files in the folder at `path` in the order in which their paths sort; nil where it cannot be read.
  private static func entries(of path: [UInt8]) throws(TrainerError) -> [Entry]? {
    try SystemFailure.retrying { () throws(TrainerError) in
      let (entries, code) = try listing(path)
      guard SystemFailure.codes.contains(code) else { return entries }
      throw TrainerError("cannot read the folder \(FilePath.text(path)): \(FileSystem.describe(code))", code: code)
    }
  }

  /// What is in the folder at `path`, in order, or nil; and the operating system's number of what kept it from telling all.
  private static func listing(_ path: [UInt8]) throws(TrainerError) -> (entries: [Entry]?, code: Int32) {
    let folder = (path + [0]).withUnsafeBytes { name in
      name.baseAddress.flatMap { opendir($0.assumingMemoryBound(to: CChar.self)) }
    }
    guard let folder else { return (nil, errno) }
    defer { closedir(folder) }
    var entries: [Entry] = []
    errno = 0
    while let entry = readdir(folder) {
      defer { errno = 0 }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name.first == UInt8(ascii: ".") { continue }
      switch Int(entry.pointee.d_type) {
      case Int(DT_DIR): entries.append(Entry(name: name, kind: .folder))
      case Int(DT_REG): entries.append(Entry(name: name, kind: .file))
      case Int(DT_LNK), Int(DT_UNKNOWN):
        // Links, and file systems that don't say.
        let kind: Entry.Kind =
          switch try FileStatus.of(FilePath.join(path, name))?.kind {
          case .folder: .folder
          case .file: .file
          case .other: .special
          case nil: .danglingLink
          }
        entries.append(Entry(name: name, kind: kind))
      default: entries.append(Entry(name: name, kind: .special))
      }
    }
    let code = errno
    // A folder sorts as its path goes on, with a slash.
    let slash = [UInt8(ascii: "/")]
    entries.sort {
      ($0.isFolder ? $0.name + slash : $0.name).lexicographicallyPrecedes($1.isFolder ? $1.name + slash : $1.name)
    }
    return (entries, code)
  }

  /// The first bytes of the file at `path`; nil where it cannot be read, or has fewer.
  private static func firstBytes(of path: [UInt8]) throws(TrainerError) -> [UInt8]? {
    guard try FileStatus.of(path)?.kind == .file else { return nil }
    do throws(TrainerError) {
      return try SystemFailure.retrying { () throws(TrainerError) in
        let file = try OpenFile(reading: path)
        return file.byteCount < ImageFile.magicByteCount ? nil : try file.bytes(at: 0, count: ImageFile.magicByteCount)
      }
    } catch {
      guard !error.isSystemFailure else { throw error }
      return nil
    }
  }
}
