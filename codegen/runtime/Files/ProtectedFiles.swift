/// Files that a command reads, which its output may not overwrite, whatever the path or link that leads to them.
struct ProtectedFiles {
  private var files: [(identity: FileStatus.Identity, what: String)] = []

  /// Protects the executable itself.
  init() {
    protect("/proc/self/exe", as: "this trainer")
  }

  /// Protects the file at `path`, which messages call `what`; a device or a pipe needs no protection.
  mutating func protect(_ path: String, as what: String) {
    guard let status = FileStatus(Array(path.utf8)), status.kind == .file else { return }
    files.append((status.identity, what))
  }

  /// Throws where what is written to `output`, or to the file that it is collected in first, would overwrite a protected file, or
  /// of an image of `sources`.
  func check(_ output: String, option: String, sources: [any ImageSource] = []) throws(TrainerError) {
    for path in ReplacedFile.paths(for: output) {
      guard let status = FileStatus(Array(path.utf8)), status.kind == .file else { continue }
      var what = files.first { $0.identity == status.identity }?.what
      if what == nil, sources.contains(where: { $0.reads(status.identity) }) { what = "one of the images" }
      guard let what else { continue }
      throw TrainerError("\(option) \(output) would replace \(path == output ? "" : "\(path), ")\(what); give another file")
    }
  }
}
