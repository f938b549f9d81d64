import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

/// What a run may go on with, and what its outputs may not overwrite.
@Suite("Resuming", .serialized) struct ResumeTests {
  private func makeData(_ folder: TemporaryFolder, _ name: String) throws {
    for file in ["a.jpg", "b.jpg", "x/c.jpg"] { try folder.write(try fixture("color.jpg"), to: "\(name)/\(file)") }
  }

  @Test("Other images are refused unless they are allowed, and the same ones elsewhere are the same")
  func images() throws {
    let folder = try TemporaryFolder()
    for name in ["data", "copy", "renamed", "more"] { try makeData(folder, name) }
    try FileManager.default.moveItem(atPath: folder["renamed/x/c.jpg"], toPath: folder["renamed/x/d.jpg"])
    try folder.write(try fixture("color.jpg"), to: "more/d.jpg")
    #expect(train("fit", "--data", folder["data"], "--epochs", "4", "--limit-steps", "1", "--out", folder["run"]) == 0)
    let before = try folder.read("run/checkpoint.safetensors")
    for other in [folder["renamed"], folder["more"], "synthetic:3"] {
      #expect(train("fit", "--resume", folder["run"], "--data", other) == 1, "\(other)")
    }
    #expect(try folder.read("run/checkpoint.safetensors") == before)
    #expect(train("fit", "--resume", folder["run"], "--data", folder["copy"], "--limit-steps", "2") == 0)
    #expect(
      train("fit", "--resume", folder["run"], "--data", folder["renamed"], "--limit-steps", "3", "--allow-changed-data") == 0)
    #expect(train("fit", "--resume", folder["run"], "--data", folder["data"]) == 1)
    let record = try JSONDecoder().decode(RunRecord.self, from: try folder.read("run/run.json"))
    let images = record.sessions.compactMap(\.images)
    #expect(images.map(\.count) == [3, 3, 3] && images[0] == images[1] && images[1] != images[2])
    #expect(record.sessions.allSatisfy { $0.graph == record.graph.sha256 && $0.batch == 4 })
  }

  @Test("The images to evaluate on are recorded, and others are no reason to refuse")
  func validation() throws {
    let folder = try TemporaryFolder()
    for name in ["data", "more"] { try makeData(folder, name) }
    try folder.write(try fixture("color.jpg"), to: "more/d.jpg")
    let words = ["--data", folder["data"], "--epochs", "4", "--out", folder["run"]]
    #expect(train(["fit", "--val", folder["data"], "--limit-steps", "1"] + words) == 0)
    for (step, validation) in [(2, "data"), (3, "more")] {
      #expect(train("fit", "--resume", folder["run"], "--val", folder[validation], "--limit-steps", "\(step)") == 0)
    }
    let record = try JSONDecoder().decode(RunRecord.self, from: try folder.read("run/run.json"))
    #expect(record.sessions.compactMap { $0.validation?.count } == [3, 3, 4])
    #expect(record.sessions[0].validation == record.sessions[1].validation)
  }

  @Test("Another program is refused unless it is allowed, and a checkpoint that does not tell is gone on from with the same bits")
  func programs() throws {
    let folder = try TemporaryFolder()
    let words = ["fit", "--data", "synthetic:40", "--epochs", "1"]
    #expect(train(words + ["--out", folder["whole"]]) == 0)
    #expect(train(words + ["--out", folder["run"], "--limit-steps", "5"]) == 0)
    let file = try folder.read("run/checkpoint.safetensors")
    let hash = try JSONDecoder().decode(RunRecord.self, from: try folder.read("run/run.json")).graph.sha256
    func write(replacing old: String, by new: String) throws {
      var bytes = file
      bytes.replaceSubrange(try #require(bytes.range(of: Data(old.utf8))), with: Data(new.utf8))
      try folder.write(Array(bytes), to: "run/checkpoint.safetensors")
    }
    try write(replacing: hash, by: String(hash.reversed()))
    #expect(train("fit", "--resume", folder["run"]) == 1)
    #expect(train("fit", "--resume", folder["run"], "--allow-changed-model", "--limit-steps", "6") == 0)
    try write(replacing: "graph_sha256", by: "graph_sha000")
    #expect(train("fit", "--resume", folder["run"]) == 0)
    #expect(try folder.read("run/checkpoint.safetensors") == folder.read("whole/checkpoint.safetensors"))
  }

  @Test("Where the images are is recorded from the root on")
  func absolutePaths() throws {
    let folder = try TemporaryFolder()
    try makeData(folder, "data")
    let current = FileManager.default.currentDirectoryPath
    let up = current.split(separator: "/").map { _ in ".." }.joined(separator: "/")
    let words = ["--data", "\(up)\(folder["data"])", "--val", "\(up)\(folder["data"])"]
    #expect(train(["fit", "--out", folder["run"], "--epochs", "1"] + words) == 0)
    let options = try Checkpoint.position(folder["run/checkpoint.safetensors"], model: "fake").options
    for name in ["data", "val"] { #expect(options[name] == "\(current)/\(up)\(folder["data"])") }
  }

  @Test("What a command reads is not written over, under whatever name")
  func outputs() throws {
    let folder = try TemporaryFolder()
    try makeData(folder, "data")
    let tensors: [(String, [Int], [Float])] = [
      ("images", [4, 3, 16, 16], [Float](repeating: 0.5, count: 3072)), ("noise", [4, 16], (0..<64).map { Float($0) / 64 }),
      ("patch", [3, 4, 4], [Float](repeating: 0, count: 48)),
    ]
    for name in ["in", "out.tmp"] { try write(tensors.map { (name: $0.0, shape: $0.1, values: $0.2) }, to: folder[name]) }
    #expect(train("fit", "--data", folder["data"], "--epochs", "1", "--out", folder["run"]) == 0)
    try FileManager.default.createSymbolicLink(atPath: folder["link"], withDestinationPath: "in")
    try FileManager.default.linkItem(atPath: folder["in"], toPath: folder["second"])
    try FileManager.default.createSymbolicLink(atPath: folder["image"], withDestinationPath: "data/x/c.jpg")
    let before = try ["in", "out.tmp", "run/checkpoint.safetensors", "run/metrics.jsonl", "data/x/c.jpg"].map {
      try folder.read($0)
    }
    for output in ["in", "link", "second"] {
      #expect(train("grad", "--input", folder["in"], "--output", folder[output]) == 1, "\(output)")
    }
    // What is written is collected in a file of this name first.
    #expect(train("grad", "--input", folder["out.tmp"], "--output", folder["out"]) == 1)
    for output in ["image", "data/x/c.jpg", "run/checkpoint.safetensors"] {
      #expect(
        train("reconstruct", "--checkpoint", folder["run"], "--data", folder["data"], "-o", folder[output]) == 1, "\(output)")
    }
    for output in ["image", "run/checkpoint.safetensors", "run/metrics.jsonl", "run/checkpoint-00000007.safetensors", "run/lock"] {
      #expect(train("fit", "--resume", folder["run"], "--epochs", "2", "--profile", folder[output]) == 1, "\(output)")
    }
    #expect(
      try ["in", "out.tmp", "run/checkpoint.safetensors", "run/metrics.jsonl", "data/x/c.jpg"].map { try folder.read($0) } == before
    )
  }
}
