import FoundationEssentials
import Glibc

/// How a run replaces what its folder holds: as a whole, and only once its first checkpoint is on the disk.
///
/// Until then all that it writes goes to a folder within the run's. That one gets another name when it is complete, which is the moment
/// at which the new run counts; a process that is killed while it moves files out of there leaves the rest to the next one.
struct RunReplacement {
  /// The run's folder.
  let path: String
  /// The last step of the run in the folder that the new one goes on from, or nil where it keeps nothing of it.
  let keptStep: Int?

  /// Where the new run is until its first save.
  var workPath: String { "\(path)/\(Self.unsaved)" }

  private static let unsaved = "unsaved"
  private static let saved = "saved"
  /// The file of a complete replacement that lists what of the old run goes.
  private static let list = "replaced.json"
  private static let checkpoint = "checkpoint.safetensors"

  /// Makes an empty folder to work in.
  init(in path: String, keptStep: Int?) throws(TrainerError) {
    self.path = path
    self.keptStep = keptStep
    discard()
    try FileSystem.createFolder(workPath)
  }

  /// Removes what the new run has written, and leaves the old one as it was.
  func discard() { Self.remove(workPath) }

  /// Puts the new run, whose checkpoint and other files are in the folder to work in, where the old one was.
  func commit() throws(TrainerError) {
    let new = Set(FileSystem.names(in: workPath))
    let old = FileSystem.names(in: path).filter { name in
      guard !new.contains(name) else { return false }
      guard let keptStep else { return RunFiles.isOfRun(name) }
      return KeptCheckpoints.step(of: name).map { $0 > keptStep } ?? false
    }
    let text = try JSON.encode(old)
    try FileSystem.replace("\(workPath)/\(Self.list)") { (file) throws(TrainerError) in try file.write(text) }
    FileSystem.synchronizeFolder(workPath)
    guard rename(workPath, "\(path)/\(Self.saved)") == 0 else {
      throw TrainerError("cannot write \(path)/\(Self.checkpoint): \(FileSystem.lastError())")
    }
    FileSystem.synchronizeFolder(path)
    try Self.finish(in: path)
  }

  /// Brings a replacement to its end that is complete in the folder at `path`, where there is one.
  static func finish(in path: String) throws(TrainerError) {
    let source = "\(path)/\(saved)"
    let list = "\(source)/\(list)"
    guard FileSystem.kind(of: source) == .folder, FileSystem.kind(of: list) == .file else { return }
    // The checkpoint comes first, as it is what other commands look at.
    let names = FileSystem.names(in: source).filter { $0 != Self.list }
    for name in names.filter({ $0 == checkpoint }) + names.filter({ $0 != checkpoint }) {
      guard rename("\(source)/\(name)", "\(path)/\(name)") == 0 else {
        throw TrainerError("cannot write \(path)/\(name): \(FileSystem.lastError())")
      }
    }
    FileSystem.synchronizeFolder(path)
    let old = (try? JSONDecoder().decode([String].self, from: Data(try FileSystem.read(list)))) ?? []
    for name in old where RunFiles.isOfRun(name) && !name.contains("/") { unlink("\(path)/\(name)") }
    remove(source)
  }

  /// The newest checkpoint of the run in the folder at `path`, wherever a killed process has left it.
  static func newestCheckpoint(in path: String) -> String {
    let complete = "\(path)/\(saved)"
    let new = "\(complete)/\(checkpoint)"
    return FileSystem.kind(of: "\(complete)/\(list)") == .file && FileSystem.kind(of: new) == .file ? new : "\(path)/\(checkpoint)"
  }

  /// Removes a folder of files.
  private static func remove(_ folder: String) {
    for name in FileSystem.names(in: folder) { unlink("\(folder)/\(name)") }
    rmdir(folder)
  }
}

/// The files of a run's folder.
enum RunFiles {
  static let metrics = "metrics.jsonl"

  /// Whether a run makes files of this name, `lock` aside.
  static func isOfRun(_ name: String) -> Bool {
    let known = ["checkpoint.safetensors", metrics, RunRecord.file, RunRecord.graphFile, ImageIndex.fileName]
    let lists = UnreadableImages.Purpose.allCases.map(\.fileName)
    return known.contains(name) || lists.contains(name) || KeptCheckpoints.step(of: name) != nil || EventFile.isEventFile(name)
  }

  /// Throws where `output` is to be a file that a run makes in `folder`.
  static func check(_ output: String, option: String, in folder: String) throws(TrainerError) {
    let name = output.split(separator: "/").last.map(String.init) ?? ""
    let parent = FileSystem.parent(of: output)
    guard isOfRun(name) || name == "lock", FileSystem.isSame(parent, folder) else { return }
    throw TrainerError("\(option) \(output) is a file that the run keeps itself; give another one")
  }
}
