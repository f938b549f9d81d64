import FoundationEssentials
import Glibc

/// The folder that a training run writes to: its checkpoints and its metrics.
package final class RunFolder {
  package let path: String
  private let lock: OpenFile
  private let metrics: OpenFile
  /// Steps after which the run that goes on was evaluated.
  private let validatedSteps: Set<Int>

  /// The checkpoint's file in the folder `path`.
  package static func checkpoint(in path: String) -> String { "\(path)/checkpoint.safetensors" }

  /// The checkpoint that `path` means: a file, or that of a run's folder.
  package static func checkpoint(from path: String) throws(TrainerError) -> String {
    switch FileSystem.kind(of: path) {
    case .file: return path
    case .folder:
      let file = checkpoint(in: path)
      guard FileSystem.kind(of: file) == .file else { throw TrainerError("the folder \(path) holds no checkpoint.safetensors") }
      return file
    case .missing: throw TrainerError("no such checkpoint: \(path)")
    }
  }

  /// Makes the folder where it is missing, checks that it can be written to, and keeps other processes out.
  ///
  /// - Parameters:
  ///   - resumedStep: The step that the run continues from, or nil where it starts afresh; what the folder has of later steps goes.
  ///   - overwriting: Whether a new run may replace one that the folder holds.
  package init(_ path: String, resumedStep: Int?, overwriting: Bool) throws(TrainerError) {
    try FileSystem.createFolder(path)
    lock = try OpenFile(creating: "\(path)/lock")
    guard lock.lock() else { throw TrainerError("another process is training in \(path); give another --out") }
    let holdsRun = FileSystem.kind(of: Self.checkpoint(in: path)) == .file || !KeptCheckpoints.steps(in: path).isEmpty
    if resumedStep == nil, !overwriting, holdsRun {
      throw TrainerError(
        "\(path) already holds a run: continue it with --resume \(path), replace it with --overwrite, or give another --out")
    }
    self.path = path
    // A kept checkpoint may be what the run continues from.
    KeptCheckpoints.prune(in: path, keeping: .max, upTo: resumedStep ?? -1)
    let kept = try Self.metrics(in: path, upTo: resumedStep ?? 0)
    validatedSteps = Set(
      kept.split(separator: "\n").compactMap { try? JSONDecoder().decode(ValidationLine.self, from: Data($0.utf8)).step })
    try FileSystem.replace("\(path)/metrics.jsonl") { (file) throws(TrainerError) in try file.write(kept) }
    metrics = try OpenFile(appendingTo: "\(path)/metrics.jsonl")
  }

  /// Appends one line to the metrics.
  package func append(_ line: some Encodable) throws(TrainerError) {
    try metrics.write(try JSON.encode(line) + "\n")
  }

  /// Whether the run that goes on was evaluated after `step` steps.
  func isValidated(step: Int) -> Bool { validatedSteps.contains(step) }

  /// Replaces the newest checkpoint, which becomes the last of the `kept` ones of earlier steps.
  package func save(_ model: TrainedModel, at position: TrainingPosition, keeping kept: Int) throws(TrainerError) {
    let newest = Self.checkpoint(in: path)
    if kept > 0, FileSystem.kind(of: newest) == .file,
      let previous = try? Checkpoint.position(newest, model: model.program.manifest.model), previous.step < position.step
    {
      try KeptCheckpoints.keepNewest(in: path, step: previous.step)
    }
    try Checkpoint.save(model, at: position, to: newest)
    if kept > 0 { KeptCheckpoints.prune(in: path, keeping: kept, upTo: position.step) }
  }

  /// The lines of the metrics so far whose step is at most `step`.
  private static func metrics(in path: String, upTo step: Int) throws(TrainerError) -> String {
    let file = "\(path)/metrics.jsonl"
    guard step > 0, FileSystem.kind(of: file) == .file else { return "" }
    let lines = try FileSystem.readText(file).split(separator: "\n").filter { line in
      guard let known = try? JSONDecoder().decode(StepOfLine.self, from: Data(line.utf8)) else { return false }
      return known.step <= step
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private struct StepOfLine: Decodable {
    var step: Int
  }
}
