import Glibc

/// The JPEG and PNG files in a folder and the folders within it, in the order of their paths.
package struct ImageFolder: ImageSource {
  /// The folder.
  package let path: String
  /// Paths of the files, relative to the folder.
  package let files: [String]

  package var count: Int { files.count }

  /// Finds the files under `path` by their extensions; what is in them is looked at when they are read.
  package init(_ path: String) throws(TrainerError) {
    switch FileSystem.kind(of: path) {
    case .missing: throw TrainerError("no such folder: \(path); give --data the folder that holds the images")
    case .file: throw TrainerError("\(path) is a file, not a folder; give --data the folder that holds the images")
    case .folder: break
    }
    var scan = FolderScan(root: path)
    scan.visit("")
    if let first = scan.unreadable.first {
      Console.warn("\(scan.unreadable.count) folders cannot be read and are left out, such as \(first)")
    }
    guard !scan.files.isEmpty else {
      throw TrainerError("no images in \(path): it holds no files that end in .jpg, .jpeg or .png, nor do the folders within it")
    }
    self.path = path
    files = scan.files.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
  }

  package func name(at index: Int) -> String { "\(path)/\(files[index])" }

  package func image(at index: Int) throws(TrainerError) -> Image {
    try Image(decoding: try FileSystem.read(name(at: index)))
  }
}

/// A walk through a folder, following links to folders but never in a circle.
private struct FolderScan {
  let root: String
  var files: [String] = []
  var unreadable: [String] = []
  private var visited: Set<FolderIdentity> = []

  private struct FolderIdentity: Hashable {
    var device: UInt
    var number: UInt
  }

  init(root: String) {
    self.root = root
  }

  /// Takes in the folder at `path`, relative to the root.
  mutating func visit(_ path: String) {
    let full = path.isEmpty ? root : "\(root)/\(path)"
    var status = stat()
    guard stat(full, &status) == 0, let folder = opendir(full) else {
      unreadable.append(full)
      return
    }
    defer { closedir(folder) }
    guard visited.insert(FolderIdentity(device: UInt(status.st_dev), number: UInt(status.st_ino))).inserted else { return }
    var folders: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasPrefix(".") { continue }
      let child = path.isEmpty ? name : "\(path)/\(name)"
      let type = Int(entry.pointee.d_type)
      // Links, and file systems that don't say.
      let mayBeFolder = type == Int(DT_DIR) || type == Int(DT_LNK) || type == Int(DT_UNKNOWN)
      if mayBeFolder && FileSystem.kind(of: "\(root)/\(child)") == .folder {
        folders.append(child)
      } else if Self.isCandidate(name) {
        files.append(child)
      }
    }
    for child in folders.sorted() { visit(child) }
  }

  private static func isCandidate(_ name: String) -> Bool {
    let name = name.lowercased()
    return [".jpg", ".jpeg", ".png"].contains { name.hasSuffix($0) }
  }
}
