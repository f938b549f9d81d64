import Glibc

/// A walk through a folder and the folders within it, in the order of paths, following links but never in a circle.
struct FolderScan {
  /// What was found.
  private(set) var index = ImageIndex()
  /// Tar archives beside the images, which may be shards.
  private(set) var archives: [[UInt8]] = []
  /// Folders that could not be read.
  private(set) var unreadable: [[UInt8]] = []

  private var visited: Set<FileStatus.Identity> = []
  private var progress: ScanProgress

  init(_ root: [UInt8], progress: ScanProgress) {
    self.progress = progress
    visit(root)
  }

  /// One name in a folder.
  private struct Entry {
    var name: [UInt8]
    var isFolder: Bool
  }

  /// Takes in the folder at `path`.
  private mutating func visit(_ path: [UInt8]) {
    guard let status = FileStatus(path), visited.insert(status.identity).inserted else { return }
    guard let entries = Self.entries(of: path) else {
      unreadable.append(path)
      return
    }
    let place = index.add(ImageIndex.Place(kind: .folder, path: path, stamp: status.stamp))
    for entry in entries {
      let child = FilePath.join(path, entry.name)
      if entry.isFolder {
        visit(child)
      } else if FilePath.fileExtension(entry.name) == "tar" {
        archives.append(child)
      } else if ImageCandidate.isImage(entry.name, firstBytes: { Self.firstBytes(of: child) }) {
        index.add(entry.name, in: place)
        progress.advance(images: index.count)
      }
    }
  }

  /// The folders and files in the folder at `path` in the order in which their paths sort; nil where it cannot be read.
  private static func entries(of path: [UInt8]) -> [Entry]? {
    let folder = (path + [0]).withUnsafeBytes { name in
      name.baseAddress.flatMap { opendir($0.assumingMemoryBound(to: CChar.self)) }
    }
    guard let folder else { return nil }
    defer { closedir(folder) }
    var entries: [Entry] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name.first == UInt8(ascii: ".") { continue }
      switch Int(entry.pointee.d_type) {
      case Int(DT_DIR): entries.append(Entry(name: name, isFolder: true))
      case Int(DT_REG): entries.append(Entry(name: name, isFolder: false))
      case Int(DT_LNK), Int(DT_UNKNOWN):
        // Links, and file systems that don't say. A link that leads nowhere stays, to be reported when it is read.
        let kind = FileStatus(FilePath.join(path, name))?.kind
        if kind != .other { entries.append(Entry(name: name, isFolder: kind == .folder)) }
      default: break
      }
    }
    // A folder sorts as its path goes on, with a slash.
    let slash = [UInt8(ascii: "/")]
    return entries.sorted {
      ($0.isFolder ? $0.name + slash : $0.name).lexicographicallyPrecedes($1.isFolder ? $1.name + slash : $1.name)
    }
  }

  private static func firstBytes(of path: [UInt8]) -> [UInt8]? {
    guard FileStatus(path)?.kind == .file, let file = try? OpenFile(reading: path), file.byteCount >= ImageFile.magicByteCount
    else { return nil }
    return try? file.bytes(at: 0, count: ImageFile.magicByteCount)
  }
}
