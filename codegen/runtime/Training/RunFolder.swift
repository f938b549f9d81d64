import Glibc

/// The folder that a training run writes to: its checkpoints and its metrics.
///
/// What the folder holds of another run, or of steps that the run takes anew, stays as it is until the first checkpoint is safe.
package final class RunFolder {
  package let path: String
  /// Where files of the run are made: the folder, or one within it until the run may replace what is there.
  package private(set) var workPath: String
  /// Whether the run was evaluated after the step that it goes on from.
  let isValidated: Bool

  /// What `--resume` takes to go on from the last checkpoint of the run, in the folder or that which it went on from.
  private(set) var resumable: Origin?
  /// The step of the newest checkpoint where that is the run's.
  private(set) var savedStep: Int?
  /// The folder's lock and its metrics; nil where another process writes to the folder.
  private let lock: RunLock?
  private let metrics: OpenFile?
  /// What is left to be done at the first save.
  private var replacement: RunReplacement?

  /// A checkpoint that a run goes on from.
  package struct Origin {
    package var checkpoint: String
    package var step: Int

    package init(checkpoint: String, step: Int) {
      self.checkpoint = checkpoint
      self.step = step
    }

    /// Whether the checkpoint is one of the folder at `path`.
    func isOwn(of path: String) -> Bool {
      FileSystem.isSame(FileSystem.parent(of: checkpoint), path)
    }
  }

  /// The checkpoint's file in the folder `path`.
  package static func checkpoint(in path: String) -> String { "\(path)/checkpoint.safetensors" }

  /// The checkpoint that `path` means: a file, or that of a run's folder.
  package static func checkpoint(from path: String) throws(TrainerError) -> String {
    switch FileSystem.kind(of: path) {
    case .file: return path
    case .folder:
      let file = RunReplacement.newestCheckpoint(in: path)
      guard FileSystem.kind(of: file) == .file else { throw TrainerError("the folder \(path) holds no checkpoint.safetensors") }
      return file
    case .missing: throw TrainerError("no such checkpoint: \(path)")
    }
  }

  /// Whether the folder at `path` holds a checkpoint.
  package static func holdsRun(_ path: String) -> Bool {
    FileSystem.kind(of: checkpoint(in: path)) == .file || !KeptCheckpoints.steps(in: path).isEmpty
  }

  /// Throws where the folder at `path` holds a run that may not be replaced.
  ///
  /// - Parameters:
  ///   - checkpoint: What the run goes on from, or nil where it starts afresh.
  ///   - overwriting: Whether it may replace a run that the folder holds.
  package static func check(_ path: String, resuming checkpoint: String?, overwriting: Bool) throws(TrainerError) {
    guard !overwriting, holdsRun(path) else { return }
    if let checkpoint {
      guard !Origin(checkpoint: checkpoint, step: 0).isOwn(of: path) else { return }
      throw TrainerError("\(path) already holds another run: replace it with --overwrite, or give another --out")
    }
    throw TrainerError(
      "\(path) already holds a run: continue it with --resume \(ShellWord.quoted(path)), replace it with --overwrite, "
        + "or give another --out")
  }

  /// Makes the folder where it is missing, checks that it can be written to, and keeps other processes out.
  ///
  /// - Parameters:
  ///   - lock: The folder's lock, where it is held already.
  ///   - origin: What the run goes on from, or nil where it starts afresh.
  ///   - overwriting: Whether the run may replace another one that the folder holds.
  package init(_ path: String, lock: RunLock? = nil, origin: Origin?, overwriting: Bool) throws(TrainerError) {
    try FileSystem.createFolder(path)
    if let lock { self.lock = lock } else { self.lock = try RunLock(path) }
    try Self.check(path, resuming: origin?.checkpoint, overwriting: overwriting)
    self.path = path
    resumable = origin
    let own = origin.flatMap { $0.isOwn(of: path) ? $0 : nil }
    let old = "\(path)/\(RunFiles.metrics)"
    let known = try own.map { (own) throws(TrainerError) in try MetricsFile(old, upTo: own.step) }
    isValidated = known?.isValidated ?? false
    if Self.isAddition(origin: own, to: path, metrics: known) {
      workPath = path
      savedStep = own?.step
    } else {
      let replacement = try RunReplacement(in: path, keptStep: own?.step)
      workPath = replacement.workPath
      self.replacement = replacement
      if let known {
        if known.end > 0 { try FileSystem.copy(old, upTo: known.end, to: "\(workPath)/\(RunFiles.metrics)") }
        for list in UnreadableImages.Purpose.allCases.map(\.fileName) where FileSystem.kind(of: "\(path)/\(list)") == .file {
          try FileSystem.copy("\(path)/\(list)", to: "\(workPath)/\(list)")
        }
      }
    }
    metrics = try OpenFile(appendingTo: "\(workPath)/\(RunFiles.metrics)", for: old)
  }

  /// The folder at `path` as a process knows it that leaves all writing to another one.
  package init(writtenElsewhere path: String, origin: Origin?) {
    self.path = path
    workPath = path
    resumable = origin
    isValidated = true
    (lock, metrics) = (nil, nil)
  }

  /// Whether this process writes to the folder.
  package var isWritten: Bool { lock != nil }

  deinit {
    replacement?.discard()
  }

  /// Whether a run can write to the folder at once, as nothing there is of later steps or of another run.
  private static func isAddition(origin: Origin?, to path: String, metrics: MetricsFile?) -> Bool {
    guard let origin, let metrics else { return !FileSystem.names(in: path).contains(where: RunFiles.isOfRun) }
    return FileSystem.isSame(origin.checkpoint, checkpoint(in: path)) && metrics.end == metrics.byteCount
      && !KeptCheckpoints.steps(in: path).contains { $0 > origin.step }
  }

  /// Whether the folder still holds what it held before the run, as nothing has been saved yet.
  package var isUntouched: Bool { replacement != nil }

  /// Appends one line to the metrics.
  package func append(_ line: some Encodable) throws(TrainerError) {
    try metrics?.write(try JSON.encode(line) + "\n")
  }

  /// Replaces the newest checkpoint, which becomes the last of the `kept` ones of earlier steps.
  package func save(_ model: TrainedModel, at position: TrainingPosition, keeping kept: Int) throws(TrainerError) {
    guard let metrics else {
      savedStep = position.step
      resumable = Origin(checkpoint: path, step: position.step)
      return
    }
    // So that no checkpoint is of steps that the metrics lack.
    try metrics.synchronize()
    let newest = Self.checkpoint(in: path)
    let lastOfRun = replacement.map { $0.keptStep ?? -1 } ?? position.step - 1
    if kept > 0, FileSystem.kind(of: newest) == .file,
      let previous = try? Checkpoint.position(newest, model: model.program.manifest.model), previous.step < position.step,
      // A newest checkpoint of later steps than the run goes on from is of the run that it replaces.
      previous.step <= lastOfRun
    {
      try KeptCheckpoints.keepNewest(in: path, step: previous.step)
    }
    try Checkpoint.save(model, at: position, to: Self.checkpoint(in: workPath))
    if let replacement {
      try replacement.commit()
      self.replacement = nil
      workPath = path
    }
    savedStep = position.step
    resumable = Origin(checkpoint: path, step: position.step)
    if kept > 0 { KeptCheckpoints.prune(in: path, keeping: kept, upTo: position.step) }
  }
}
