import FoundationEssentials
import WaMIMManifest

/// What made a run, for whoever finds its folder: run.json.
package struct RunRecord: Codable, Sendable {
  package var model: String
  package var graph: Graph
  package var seed: UInt64
  /// What the run was told, under the names of the command line's options.
  package var options: [String: String]
  /// A file that the first parameters came from.
  package var initializedFrom: String?
  package var images: Int
  package var batch: Int
  package var stepsPerEpoch: Int
  package var totalSteps: Int
  package var versions: Versions
  /// Every process that has worked on the run, the first one first.
  package var sessions: [Session]

  /// The expanded graph, which lies beside the record and compiles to the program again.
  package struct Graph: Codable, Sendable {
    package var file: String
    package var sha256: String
  }

  package struct Versions: Codable, Sendable {
    /// The compiler that made the program, the trainer's runtime included.
    package var wamimc: String
    package var checkpoint: String
    /// The processor that the program was compiled for.
    package var compiledFor: String
    /// What matmuls and attention read; nil in records of earlier versions.
    package var precision: String?
    package var kernel: String

    private enum CodingKeys: String, CodingKey {
      case wamimc, checkpoint, precision, kernel
      case compiledFor = "compiled_for"
    }
  }

  /// One process.
  package struct Session: Codable, Sendable {
    package var command: [String]
    package var folder: String
    package var started: String
    /// Steps that were done when it began.
    package var step: Int
    package var threads: Int
    /// The hosts of the ranks, in their order; nil of one process.
    package var ranks: [String]?
    package var machine: Machine
    /// The SHA-256 of its graph, and its images; nil in records of earlier versions.
    package var graph: String?
    package var images: RunBasis.Images?
    /// The images to evaluate on, where there are some.
    package var validation: RunBasis.Images?
    /// Images a step.
    package var batch: Int?
  }

  private enum CodingKeys: String, CodingKey {
    case model, graph, seed, options, images, batch, versions, sessions
    case initializedFrom = "initialized_from"
    case stepsPerEpoch = "steps_per_epoch"
    case totalSteps = "total_steps"
  }

  static let file = "run.json"
  static let graphFile = "graph.wg"

  /// Describes a run that `command` begins or continues after `step` steps.
  init(_ run: TrainingRun, initializedFrom: String?, command: [String], step: Int) {
    let manifest = run.model.program.manifest
    let machine = Machine.current
    model = manifest.model
    graph = Graph(file: Self.graphFile, sha256: SecureHash.sha256(Array(manifest.graph.utf8)))
    seed = run.options.seed
    options = run.recordedOptions
    self.initializedFrom = initializedFrom
    images = run.order.images
    batch = run.order.batch
    stepsPerEpoch = run.order.stepsPerEpoch
    totalSteps = run.totalSteps
    versions = Versions(
      wamimc: manifest.compiler, checkpoint: Checkpoint.format, compiledFor: manifest.processor.name,
      precision: manifest.precision.rawValue, kernel: machine.system)
    sessions = [
      Session(
        command: command, folder: FileManager.default.currentDirectoryPath, started: Clock.timestamp, step: step,
        threads: run.model.device.threadCount,
        ranks: run.group.isAlone ? nil : run.group.members.map(\.host), machine: machine, graph: run.basis.graph,
        images: run.basis.images,
        validation: run.basis.validation, batch: run.basis.batch)
    ]
  }

  /// Writes the record and the graph to the folder at `path`, after the sessions of the run in `earlier`, which it goes on from.
  func write(to path: String, graph text: String, after earlier: String?) throws(TrainerError) {
    var record = self
    let file = "\(path)/\(Self.file)"
    if let earlier = earlier.flatMap(Self.init(of:)) {
      record.sessions = earlier.sessions + sessions
      record.initializedFrom = initializedFrom ?? earlier.initializedFrom
    }
    try FileSystem.replace("\(path)/\(Self.graphFile)") { (file) throws(TrainerError) in try file.write(text) }
    let json = try JSON.encode(record, indented: true)
    try FileSystem.replace(file) { (file) throws(TrainerError) in try file.write(json + "\n") }
  }

  /// The record of the run in the folder at `path`, or nil where it has none that can be read.
  private init?(of path: String) {
    guard let bytes = try? FileSystem.read("\(path)/\(Self.file)"),
      let record = try? JSONDecoder().decode(RunRecord.self, from: Data(bytes))
    else { return nil }
    self = record
  }
}
