import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

/// What a folder holds of a run stays until the next one's first checkpoint is safe.
@Suite("Run folders", .serialized) struct RunFolderTests {
  /// A run of 30 steps with checkpoints of every fifth.
  private func makeRun(_ folder: TemporaryFolder, _ name: String = "run", seed: Int = 1) throws {
    let words = ["--data", "synthetic:40", "--epochs", "3", "--every", "5", "--keep", "9", "--seed", "\(seed)"]
    try #require(train(["fit", "--out", folder[name]] + words) == 0)
  }

  /// The files of a folder and what they hold.
  private func contents(_ folder: TemporaryFolder, _ name: String) throws -> [String: Data] {
    var result: [String: Data] = [:]
    for file in try folder.contents(name) where file != "unsaved" { result[file] = try folder.read("\(name)/\(file)") }
    return result
  }

  /// What a run leaves that does not depend on the clock.
  private func outcome(_ folder: TemporaryFolder, _ name: String) throws -> [String: Data] {
    var result = try contents(folder, name).filter { $0.key.hasPrefix("checkpoint") }
    result["metrics"] = Data(try losses(folder, name).description.utf8)
    return result
  }

  private func losses(_ folder: TemporaryFolder, _ name: String) throws -> [[Float]] {
    try folder.read("\(name)/metrics.jsonl").split(separator: UInt8(ascii: "\n")).map {
      let line = try JSONDecoder().decode(MetricsLine.self, from: $0)
      return [Float(line.step), line.loss]
    }
  }

  @Test("A command that is refused changes nothing")
  func refusals() throws {
    let folder = try TemporaryFolder()
    try makeRun(folder)
    try folder.write(Array("no image".utf8), to: "texts/a.png")
    try write([("patch", [48], [Float](repeating: 0, count: 48))], to: folder["x.safetensors"])
    let before = try contents(folder, "run")
    let (run, early) = (folder["run"], folder["run/checkpoint-00000010.safetensors"])
    let fresh = ["--out", run, "--data", "synthetic:40", "--overwrite"]
    for words in [
      ["--resume", early, "--data", "synthetic:80"], ["--resume", early, "--profile", "/no/such/x"],
      ["--resume", early, "--val", folder["none"]], ["--resume", early, "--data", folder["none"]],
      ["--resume", early, "--seed", "7"], ["--resume", early, "--batch-accumulation", "2"],
      ["--resume", early, "--mean", "0.5"],
      ["--resume", folder["x.safetensors"], "--out", run, "--overwrite", "--data", "synthetic:40"],
      ["--out", run, "--data", folder["texts"], "--overwrite"], ["--out", run, "--data", folder["none"], "--overwrite"],
      ["--out", run, "--overwrite"], ["--out", run, "--data", "synthetic:40"], fresh + ["--init", folder["none"]],
      fresh + ["--init", folder["x.safetensors"]], fresh + ["--profile", "/no/such/x"], fresh + ["--val", folder["none"]],
    ] {
      #expect(train(["fit"] + words) == 1, "\(words)")
      #expect(try contents(folder, "run") == before, "\(words)")
    }
  }

  @Test("A run that replaces another leaves it alone until its first save, and then replaces it as a whole")
  func replacing() throws {
    let folder = try TemporaryFolder()
    try makeRun(folder)
    let before = try contents(folder, "run")
    let origin = RunFolder.Origin(checkpoint: folder["run/checkpoint-00000010.safetensors"], step: 10)
    for origin in [origin, nil] {
      var next: RunFolder? = try RunFolder(folder["run"], origin: origin, overwriting: true)
      try next?.append(["step": 11])
      #expect(try contents(folder, "run") == before)
      next = nil
      #expect(try contents(folder, "run") == before && !folder.contents("run").contains("unsaved"))
    }
    #expect(train("fit", "--out", folder["run"], "--data", "synthetic:12", "--epochs", "1", "--overwrite") == 0)
    #expect(try losses(folder, "run").map { $0[0] } == [1, 2, 3])
    let names = try folder.contents("run")
    #expect(names.filter { $0.hasPrefix("checkpoint") || $0.hasPrefix("events") }.count == 2 && !names.contains("unsaved"))
  }

  @Test("A rewind ends as if the steps that it takes anew had not been taken before")
  func rewinding() throws {
    let folder = try TemporaryFolder()
    for name in ["whole", "run"] { try makeRun(folder, name) }
    #expect(train("fit", "--resume", folder["run/checkpoint-00000010.safetensors"], "--limit-steps", "12") == 0)
    #expect(try losses(folder, "run").map { $0[0] } == (1...12).map { Float($0) })
    #expect(try keptSteps(folder.contents("run")) == [5, 10])
    #expect(train("fit", "--resume", folder["run"]) == 0)
    var expected = try outcome(folder, "whole")
    expected["checkpoint-00000012.safetensors"] = try outcome(folder, "run")["checkpoint-00000012.safetensors"]
    #expect(try outcome(folder, "run") == expected)
  }

  private func keptSteps(_ names: [String]) -> [Int] {
    names.compactMap { $0.hasPrefix("checkpoint-") ? Int($0.dropFirst(11).dropLast(12)) : nil }
  }

  @Test("A process that is killed while it replaces a run leaves the rest to the next one", arguments: 0...5)
  func recovery(moved: Int) throws {
    let folder = try TemporaryFolder()
    for (name, seed) in [("new", "2"), ("run", "1")] {
      let words = ["--data", "synthetic:8", "--epochs", "1", "--every", "1", "--keep", "1", "--seed", seed]
      try #require(train(["fit", "--out", folder[name]] + words) == 0)
    }
    let before = try folder.contents("run")
    // As it is when all of the new run is on the disk, and `moved` of its files are where they belong.
    let new = try contents(folder, "new").filter { $0.key != "lock" && !$0.key.hasPrefix("checkpoint-") }
    let order = new.keys.sorted()
    for (index, name) in order.enumerated() {
      try folder.write(Array(try #require(new[name])), to: index < moved ? "run/\(name)" : "run/saved/\(name)")
    }
    let old = before.filter { new[$0] == nil && $0 != "lock" }
    try folder.write(Array(try JSONEncoder().encode(old)), to: "run/saved/replaced.json")
    // Who only reads finds the new run, too.
    let checkpoint = try RunFolder.checkpoint(from: folder["run"])
    #expect(try Data(contentsOf: URL(fileURLWithPath: checkpoint)) == new["checkpoint.safetensors"])
    // Refused as another process would be, but what was begun is brought to its end.
    #expect(train("fit", "--out", folder["run"], "--data", "synthetic:40") == 1)
    #expect(try contents(folder, "run").filter { $0.key != "lock" } == new)
  }

  @Test("A run that goes on from another folder leaves a run alone unless it may replace it, and then mixes nothing")
  func foreign() throws {
    let folder = try TemporaryFolder()
    try makeRun(folder, "a", seed: 1)
    try makeRun(folder, "b", seed: 2)
    let before = (a: try contents(folder, "a"), b: try contents(folder, "b"))
    let words = ["fit", "--resume", folder["a/checkpoint-00000010.safetensors"], "--out", folder["b"], "--limit-steps", "13"]
    #expect(train(words) == 1)
    #expect(try contents(folder, "b") == before.b)
    #expect(train(words + ["--overwrite"]) == 0)
    #expect(try contents(folder, "a") == before.a)
    #expect(try losses(folder, "b").map { $0[0] } == [11, 12, 13] && keptSteps(folder.contents("b")) == [])
    let record = try JSONDecoder().decode(RunRecord.self, from: try folder.read("b/run.json"))
    #expect(record.seed == 1 && record.sessions.map(\.step) == [0, 10])
    #expect(train("fit", "--resume", folder["b"]) == 0)
    #expect(try folder.read("b/checkpoint.safetensors") == before.a["checkpoint.safetensors"])
  }

  @Test("Lines that a killed process has told of steps that were lost stay until they are made up for")
  func lostSteps() throws {
    let folder = try TemporaryFolder()
    for name in ["whole", "run"] { try makeRun(folder, name) }
    let whole = try outcome(folder, "whole")
    // A run that was killed after the checkpoint of step 20, in the middle of a line.
    for step in [25] { try FileManager.default.removeItem(atPath: folder["run/checkpoint-000000\(step).safetensors"]) }
    try folder.write(Array(try folder.read("run/checkpoint-00000020.safetensors")), to: "run/checkpoint.safetensors")
    try FileManager.default.removeItem(atPath: folder["run/checkpoint-00000020.safetensors"])
    let lines = try folder.read("run/metrics.jsonl").split(separator: UInt8(ascii: "\n"))
    try folder.write(Array(lines.prefix(23).joined(separator: [10])) + [10] + lines[23].prefix(20), to: "run/metrics.jsonl")
    #expect(train("fit", "--resume", folder["run"]) == 0)
    #expect(try outcome(folder, "run") == whole)
  }

  @Test("Only the end of the metrics is read, however long they are")
  func longMetrics() throws {
    let folder = try TemporaryFolder()
    try #require(train("fit", "--data", "synthetic:40", "--epochs", "3", "--limit-steps", "7", "--out", folder["run"]) == 0)
    let lines = try folder.read("run/metrics.jsonl")
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: folder["run/metrics.jsonl"]))
    try file.truncate(atOffset: 3 << 30)
    try file.seekToEnd()
    try file.write(contentsOf: Data("\n".utf8) + lines)
    try file.close()
    let start = Date()
    #expect(train("fit", "--resume", folder["run"], "--limit-steps", "9") == 0)
    #expect(Date().timeIntervalSince(start) < 5)
    let size = try FileManager.default.attributesOfItem(atPath: folder["run/metrics.jsonl"])[.size] as? Int
    #expect(try #require(size) > 3 << 30)
  }

  @Test("A lock that another process holds is told apart from a file system that has none")
  func locks() {
    #expect(LockResult(error: EWOULDBLOCK) == .taken)
    for code in [ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL, EIO] {
      guard case .unsupported = LockResult(error: code) else {
        Issue.record("error \(code)")
        continue
      }
    }
  }
}
