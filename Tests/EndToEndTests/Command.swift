import Foundation
import TestSupport
import Testing
import WaMIMGraph

/// What a command left behind.
struct CommandResult {
  var status: Int32
  var output: String
  var errors: String
}

/// Runs commands as a person would, in a folder that is removed afterwards.
struct Workshop: ~Copyable {
  let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("wamimc-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// The path of `name` in the folder.
  func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  /// Runs `command` with `arguments`; its input is empty.
  func run(_ command: String, _ arguments: [String], environment: [String: String] = [:]) throws -> CommandResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: command)
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.standardInput = FileHandle.nullDevice
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
    // Files, not pipes: a pipe that nobody reads blocks the command.
    let (output, errors) = (path("output-\(UUID().uuidString)"), path("errors-\(UUID().uuidString)"))
    for file in [output, errors] { FileManager.default.createFile(atPath: file, contents: nil) }
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
    try process.run()
    process.waitUntilExit()
    return CommandResult(
      status: process.terminationStatus,
      output: String(decoding: try Data(contentsOf: URL(fileURLWithPath: output)), as: UTF8.self),
      errors: String(decoding: try Data(contentsOf: URL(fileURLWithPath: errors)), as: UTF8.self))
  }

  /// Runs the compiler.
  func wamimc(_ arguments: [String]) throws -> CommandResult {
    try run(Workshop.compiler, arguments)
  }

  /// Compiles a model of `graphs/`, with `settings` in place of its own, to `name`.
  func compile(_ model: String = "wamim_vit_demo", _ settings: [String] = [], options: [String] = [], to name: String = "train")
    throws
  {
    let words = [Workshop.model(model)] + settings.flatMap { ["--set", $0] } + options
    let trainer = try CompiledTrainers.shared.trainer(words) { file in
      let result = try wamimc(words + ["-o", file])
      try #require(result.status == 0, "\(result.errors)")
    }
    // A test may compile several trainers under one name, one after the other.
    try? FileManager.default.removeItem(atPath: path(name))
    try FileManager.default.copyItem(atPath: trainer, toPath: path(name))
  }

  /// Writes the values of a graph's sources to the safetensors file `name`.
  func write(_ sources: [String: [Double]], of graph: Graph, to name: String) throws {
    var tensors: [String: Safetensors.Tensor] = [:]
    for node in graph.nodes {
      guard let name = node.operation.sourceName, let elements = sources[name] else { continue }
      tensors[name] = .init(shape: node.type.shape.dimensions, elements: elements)
    }
    try Data(Safetensors.bytes(of: tensors)).write(to: URL(fileURLWithPath: path(name)))
  }

  /// The folder of what was built, the running tests among it.
  static var products: URL { URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent() }

  /// The compiler beside the running tests.
  static var compiler: String { products.appendingPathComponent("wamimc").path }

  /// The repository's folder.
  static var repository: URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  }

  /// The path of a model of `graphs/`.
  static func model(_ name: String) -> String {
    repository.appendingPathComponent("graphs/\(name).wg").path
  }
}
