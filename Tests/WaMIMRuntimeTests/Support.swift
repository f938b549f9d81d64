import CFakeProgram
import Foundation
import WaMIMManifest
import WaMIMRuntime

/// The bytes of a file among the fixtures.
func fixture(_ name: String) throws -> [UInt8] {
  let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")
  return Array(try Data(contentsOf: folder.appendingPathComponent(name)))
}

/// An empty folder that is removed when the last reference goes.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("wamim-tests-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// The path of `name` in the folder.
  subscript(name: String) -> String { "\(path)/\(name)" }

  /// Writes a file, making the folders that it lies in.
  func write(_ bytes: [UInt8], to name: String) throws {
    let url = URL(fileURLWithPath: self[name])
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
  }

  func read(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: self[name])) }

  func contents(_ name: String = ".") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: self[name]).sorted()
  }
}

/// The fake program, whose memory stays where it is.
func fakeProgram() throws -> Program {
  try withUnsafePointer(to: wamim_fake_program) { try Program($0) }
}

/// What tests that make steps themselves tell the fake program, whose betas and epsilon are part of its code.
let fakeRecipe = Recipe { $0.weightDecay = 0.1 }.withConstantRate(0.01)

/// Runs the trainer with `arguments` on the fake program, and returns its exit code.
func train(_ arguments: String...) -> Int32 { train(arguments) }

/// Runs the trainer with `arguments` on the fake program, and returns its exit code.
func train(_ arguments: [String]) -> Int32 {
  var words = (["train"] + arguments).map { strdup($0) }
  defer { for word in words { free(word) } }
  return withUnsafePointer(to: wamim_fake_program) { wamimMain(Int32(words.count), &words, $0) }
}

/// The tensors of a safetensors file by their names.
func tensors(_ path: String) throws -> [String: [Float]] {
  let reader = try SafetensorsReader(path)
  var result: [String: [Float]] = [:]
  for (name, entry) in reader.header.entries {
    var values = [Float](repeating: 0, count: entry.range.count / 4)
    try values.withUnsafeMutableBytes { try reader.read(name, into: $0) }
    result[name] = values
  }
  return result
}

/// Writes tensors to a safetensors file.
func write(_ tensors: [(name: String, shape: [Int], values: [Float])], to path: String) throws {
  let bytes = tensors.map { tensor in tensor.values.withUnsafeBytes { Array($0) } }
  let copies = bytes.map { source in
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 8)
    copy.copyBytes(from: source)
    return copy
  }
  defer { for copy in copies { copy.deallocate() } }
  try Safetensors.write(
    zip(tensors, copies).map { Safetensors.Tensor(name: $0.name, shape: $0.shape, bytes: UnsafeRawBufferPointer($1)) }, to: path)
}
