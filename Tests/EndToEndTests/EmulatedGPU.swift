import Foundation
import Testing

/// A folder with a driver whose GPUs are emulated, for trainers that look for NVIDIA's.
struct EmulatedGPU {
  /// What makes a trainer find the driver.
  let environment: [String: String]

  init(in workshop: borrowing Workshop) throws {
    let folder = workshop.path("driver")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let library = Workshop.products.appendingPathComponent("libFakeCUDA.so").path
    try #require(FileManager.default.fileExists(atPath: library), "\(library) has not been built")
    try FileManager.default.createSymbolicLink(atPath: folder + "/libcuda.so.1", withDestinationPath: library)
    let others = ProcessInfo.processInfo.environment["LD_LIBRARY_PATH"].map { ":" + $0 } ?? ""
    environment = ["LD_LIBRARY_PATH": folder + others]
  }

  /// Puts a cuBLASLt beside the driver.
  func addCUBLAS(in workshop: borrowing Workshop) throws {
    let library = Workshop.products.appendingPathComponent("libFakeCUBLAS.so").path
    try #require(FileManager.default.fileExists(atPath: library), "\(library) has not been built")
    try FileManager.default.createSymbolicLink(
      atPath: workshop.path("driver/libcublasLt.so.12"), withDestinationPath: library)
  }

  /// Runs the trainer `name` of `workshop`; `settings` say what the driver does, as `fake_cuda.h` has them.
  func run(
    _ words: String, _ settings: [String: Int] = [:], trainer name: String = "gpu", in workshop: borrowing Workshop
  ) throws -> CommandResult {
    let faults = Dictionary(uniqueKeysWithValues: settings.map { ("FAKE_CUDA_" + $0, "\($1)") })
    return try workshop.run(
      workshop.path(name), words.split(separator: " ").map(String.init), environment: environment.merging(faults) { $1 })
  }
}

extension Workshop {
  /// The losses of a run's steps, and those of its validations, as they came.
  func losses(of run: String) throws -> [Double] {
    let text = try String(contentsOfFile: path("\(run)/metrics.jsonl"), encoding: .utf8)
    return text.matches(of: #/"(?:validation_)?loss":(?<loss>[0-9.e+-]+)/#).compactMap { Double($0.loss) }
  }
}
