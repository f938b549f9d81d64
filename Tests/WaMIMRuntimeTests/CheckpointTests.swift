import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

/// What a run keeps, and what it does not lose.
@Suite("Checkpoints", .serialized) struct CheckpointTests {
  @Test("Earlier steps are kept as asked, and each is a checkpoint that a run can continue from")
  func keeping() throws {
    let folder = try TemporaryFolder()
    let words = ["fit", "--data", "synthetic:40", "--epochs", "2", "--every", "3"]
    #expect(train(words + ["--out", folder["run"], "--keep", "2"]) == 0)
    #expect(
      try checkpoints(folder) == ["checkpoint-00000015.safetensors", "checkpoint-00000018.safetensors", "checkpoint.safetensors"])
    let whole = try folder.read("run/checkpoint.safetensors")
    #expect(train("fit", "--resume", folder["run/checkpoint-00000015.safetensors"]) == 0)
    #expect(try folder.read("run/checkpoint.safetensors") == whole)
    #expect(
      try checkpoints(folder) == ["checkpoint-00000015.safetensors", "checkpoint-00000018.safetensors", "checkpoint.safetensors"])
    // The steps after the one that a run continues from belong to a future that may differ.
    #expect(train("fit", "--resume", folder["run/checkpoint-00000015.safetensors"], "--limit-steps", "16") == 0)
    #expect(try checkpoints(folder) == ["checkpoint-00000015.safetensors", "checkpoint.safetensors"])
    #expect(train(words + ["--out", folder["run"], "--overwrite"]) == 0)
    #expect(try checkpoints(folder) == ["checkpoint.safetensors"])
  }

  @Test("A full disk keeps the last checkpoint")
  func fullDisk() throws {
    let folder = try TemporaryFolder()
    #expect(train("fit", "--data", "synthetic:40", "--epochs", "2", "--out", folder["run"], "--limit-steps", "7") == 0)
    let before = try folder.read("run/checkpoint.safetensors")
    // What is written goes to a file that is always full.
    try FileManager.default.createSymbolicLink(
      atPath: folder["run/checkpoint.safetensors.tmp"], withDestinationPath: "/dev/full")
    #expect(train("fit", "--resume", folder["run"]) == 1)
    #expect(try folder.read("run/checkpoint.safetensors") == before)
    #expect(try !folder.contents("run").contains("checkpoint.safetensors.tmp"))
    #expect(train("fit", "--resume", folder["run"]) == 0)
  }

  @Test("A checkpoint with a number that is not finite is named with its tensor, and nothing goes on from it")
  func nonFinite() throws {
    let folder = try TemporaryFolder()
    #expect(train("fit", "--data", "synthetic:40", "--epochs", "2", "--out", folder["run"], "--limit-steps", "7") == 0)
    let path = folder["run/checkpoint.safetensors"]
    let entry = try #require(try SafetensorsReader(path).header.entries["patch"])
    var bytes = Array(try folder.read("run/checkpoint.safetensors"))
    let start = entry.range.lowerBound + 4 * 7
    bytes.replaceSubrange(start..<start + 4, with: withUnsafeBytes(of: Float.nan.bitPattern.littleEndian) { Array($0) })
    try folder.write(bytes, to: "run/checkpoint.safetensors")
    let before = try folder.contents("run")
    #expect(train("fit", "--resume", folder["run"]) == 1)
    #expect(try folder.contents("run") == before)
    #expect(try Array(folder.read("run/checkpoint.safetensors")) == bytes)
    let model = try TrainedModel(program: try fakeProgram(), schedules: [.step], threads: 1)
    let error = #expect(throws: TrainerError.self) { try Checkpoint.load(path, into: model) }
    #expect(error?.message.contains("tensor `patch` holds a number that is not finite") == true)
  }

  @Test("A folder in which another process trains is refused")
  func lock() throws {
    let folder = try TemporaryFolder()
    let holder = try RunFolder(folder["run"], origin: nil, overwriting: false)
    #expect(train("fit", "--data", "synthetic:8", "--epochs", "1", "--out", folder["run"]) == 1)
    withExtendedLifetime(holder) {}
  }

  @Test("run.json says what made the run, and who worked on it")
  func record() throws {
    let folder = try TemporaryFolder()
    #expect(
      train("fit", "--data", "synthetic:40", "--seed", "3", "--out", folder["run"], "--limit-steps", "7", "--mean", "0,0,0") == 0)
    #expect(train("fit", "--resume", folder["run"], "--limit-steps", "9") == 0)
    let record = try JSONDecoder().decode(RunRecord.self, from: try folder.read("run/run.json"))
    #expect(record.model == "fake" && record.seed == 3 && record.images == 40 && record.batch == 4 && record.stepsPerEpoch == 10)
    #expect(record.sessions.map(\.step) == [0, 7])
    // Trainers of other tests run in this process meanwhile, so that the command itself is looked at from outside.
    #expect(record.sessions.allSatisfy { $0.command.first == "train" })
    #expect(record.options["mean"] == "0.0,0.0,0.0")
    #expect(record.sessions[0].machine.processors > 0 && record.sessions[0].machine.memoryBytes > 1 << 20)
    #expect(record.graph.sha256 == SecureHash.sha256(Array(try folder.read("run/graph.wg"))))
  }

  @Test("What a run is told is what a resumed one goes on with, and nonsense is refused")
  func options() throws {
    let folder = try TemporaryFolder()
    let words = [
      "--epochs", "3", "--base-lr", "0.25", "--warmup", "1", "--weight-decay", "0.5", "--every", "4", "--keep", "1", "--log-every",
      "2", "--pictures", "0", "--crop-area", "0.5..0.75", "--crop-aspect", "0.9..1.1", "--no-horizontal-flip", "--mean", "0,0.5,1",
      "--std", "1,2,3",
    ]
    #expect(train(["fit", "--data", "synthetic:40", "--out", folder["run"], "--limit-steps", "5"] + words) == 0)
    let path = folder["run/checkpoint.safetensors"]
    let options = try Checkpoint.position(path, model: "fake").options
    #expect(options["crop-area"] == "0.5..0.75" && options["horizontal-flip"] == "false" && options["std"] == "1.0,2.0,3.0")
    #expect(train("fit", "--resume", folder["run"], "--limit-steps", "8") == 0)
    #expect(try Checkpoint.position(path, model: "fake").options == options)
    for wrong in [
      ["--crop-area", "0.5"], ["--crop-area", "0.5..2"], ["--crop-aspect", "2..1"], ["--std", "0,1,1"], ["--mean", "a"],
      ["--every", "0"],
      ["--keep", "-1"], ["--log-every", "0"], ["--resume", "a", "--init", "b"],
    ] {
      #expect(train(["fit", "--data", "synthetic:8", "--out", folder["other"]] + wrong) == 64, "\(wrong)")
    }
    #expect(train("fit", "--data", "synthetic:8", "--out", folder["other"], "--mean", "0.5") == 1)
    #expect(try folder.contents() == ["run"])
  }

  private func checkpoints(_ folder: TemporaryFolder) throws -> [String] {
    try folder.contents("run").filter { $0.hasPrefix("checkpoint") }
  }
}
