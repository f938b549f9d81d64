import CFakeProgram
import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

/// The whole trainer, on the program that is written by hand.
@Suite("Trainer", .serialized) struct TrainerTests {
  @Test("A run gives the same checkpoint on any number of threads and loaders")
  func threads() throws {
    let folder = try TemporaryFolder()
    for (name, threads, loaders) in [("a", "1", "1"), ("b", "3", "2"), ("c", "16", "3")] {
      #expect(
        train(
          "fit", "--data", "synthetic:50", "--epochs", "3", "--out", folder[name], "--threads", threads, "--loader-threads", loaders
        ) == 0)
    }
    #expect(try folder.read("a/checkpoint.safetensors") == folder.read("b/checkpoint.safetensors"))
    #expect(try folder.read("a/checkpoint.safetensors") == folder.read("c/checkpoint.safetensors"))
    #expect(try losses(folder, "a") == losses(folder, "c"))
    #expect(try losses(folder, "a").count == 36)
    let line = try #require(String(decoding: folder.read("a/metrics.jsonl"), as: UTF8.self).split(separator: "\n").first)
    let waiting = try JSONDecoder().decode(MetricsLine.self, from: Data(line.utf8)).waitingForData
    #expect((0...1).contains(waiting))
  }

  @Test("The loss falls")
  func learning() throws {
    let folder = try TemporaryFolder()
    #expect(train("--data", "synthetic:200", "--epochs", "10", "--base-lr", "2", "--out", folder["run"]) == 0)
    let losses = try losses(folder, "run")
    let first: Float = losses.prefix(50).reduce(0, +)
    let last: Float = losses.suffix(50).reduce(0, +)
    #expect(last < 0.95 * first)
  }

  @Test("The program is told how the learning rate goes, and what it made of that is in the metrics")
  func learningRate() throws {
    let folder = try TemporaryFolder()
    // 16 images are 4 steps of 4; 0.64 for a batch of 256 is 0.01 for one of 4.
    #expect(
      train("fit", "--data", "synthetic:16", "--epochs", "3", "--warmup", "1", "--base-lr", "0.64", "--out", folder["run"]) == 0)
    let rates = try metrics(folder, "run").map { Double($0.learningRate) }
    let expected = (0..<12).map { step -> Double in
      let epoch = Double(step) / 4
      return epoch < 1 ? 0.01 * epoch : 0.005 * (1 + cos(.pi * (epoch - 1) / 2))
    }
    #expect(rates.count == 12 && zip(rates, expected).allSatisfy { abs($0 - $1) < 1e-8 })
  }

  @Test("A run that was interrupted and resumed ends with the bits of one that was not", arguments: [1, 13, 25])
  func resuming(step: Int) throws {
    let folder = try TemporaryFolder()
    let common = ["--data", "synthetic:41"]
    #expect(train("fit", common[0], common[1], "--epochs", "4", "--seed", "5", "--out", folder["whole"]) == 0)
    #expect(
      train(
        "fit", common[0], common[1], "--epochs", "4", "--seed", "5", "--out", folder["cut"], "--limit-steps", "\(step)") == 0)
    #expect(train("fit", "--resume", folder["cut"]) == 0)
    #expect(try folder.read("whole/checkpoint.safetensors") == folder.read("cut/checkpoint.safetensors"))
    #expect(try losses(folder, "whole") == losses(folder, "cut"))
  }

  @Test("A folder that holds a run is not overwritten unless that is asked for")
  func overwriting() throws {
    let folder = try TemporaryFolder()
    #expect(train("fit", "--data", "synthetic:8", "--epochs", "1", "--out", folder["run"]) == 0)
    #expect(train("fit", "--data", "synthetic:8", "--epochs", "1", "--out", folder["run"]) == 1)
    #expect(train("fit", "--data", "synthetic:8", "--epochs", "1", "--out", folder["run"], "--overwrite") == 0)
  }

  @Test("Real files are read, and damaged ones among them are left out")
  func files() throws {
    let folder = try TemporaryFolder()
    for name in ["color.jpg", "grey.png", "palette.png", "cmyk.jpg"] { try folder.write(try fixture(name), to: "data/x/\(name)") }
    try folder.write(Array(try fixture("color.jpg").prefix(300)), to: "data/cut.jpg")
    try folder.write(Array("no image".utf8), to: "data/text.png")
    #expect(train("fit", "--data", folder["data"], "--epochs", "2", "--out", folder["run"]) == 0)
    #expect(train("fit", "--data", folder["none"], "--out", folder["other"]) == 1)
    #expect(try folder.contents() == ["data", "run"])
  }

  @Test("grad agrees with finite differences of the loss, and takes AdamW's steps")
  func gradients() throws {
    let folder = try TemporaryFolder()
    let numbers = RandomNumbers(seed: 11, purpose: .synthetic)
    let images = (0..<4 * 3 * 256).map { numbers.uniform(at: UInt64($0)) }
    let noise = (0..<64).map { numbers.uniform(at: UInt64(100_000 + $0)) }
    let patch = (0..<48).map { numbers.uniform(at: UInt64(200_000 + $0)) }
    func run(_ patch: [Float], _ name: String, _ more: String...) throws -> [String: [Float]] {
      try write([("images", [4, 3, 16, 16], images), ("noise", [4, 16], noise), ("patch", [3, 4, 4], patch)], to: folder["in"])
      let words = ["grad", "--input", folder["in"], "--output", folder[name]] + more
      #expect(train(words) == 0)
      return try tensors(folder[name])
    }
    let result = try run(patch, "out", "--adamw-steps", "3")
    #expect(Set(result.keys) == ["loss", "loss.0", "prediction.0", "mask", "grad.patch", "adamw.losses", "adamw.patch"])
    let gradient = try #require(result["grad.patch"])
    for element in [0, 17, 47] {
      var moved = patch
      moved[element] += 0.25
      let above = try #require(try run(moved, "above")["loss"])
      moved[element] -= 0.5
      let below = try #require(try run(moved, "below")["loss"])
      #expect(abs((above[0] - below[0]) / 0.5 - gradient[element]) < 1e-4)
    }
    let losses = try #require(result["adamw.losses"])
    #expect(losses.count == 3 && losses[0] == result["loss"]?[0] && losses[2] < losses[0])
    // The first step of AdamW moves each parameter by the learning rate, whatever its gradient.
    #expect(zip(try #require(result["adamw.patch"]), patch).allSatisfy { abs(abs($0 - $1) - 3e-3) < 5e-4 })
  }

  @Test("grad refuses files that do not fit the model, and writes nothing then")
  func badGradientInput() throws {
    let folder = try TemporaryFolder()
    try write([("images", [4, 3, 16, 16], [Float](repeating: 0, count: 3072))], to: folder["in"])
    #expect(train("grad", "--input", folder["in"], "--output", folder["out"]) == 1)
    #expect(train("grad", "--input", folder["none"], "--output", folder["out"]) == 1)
    #expect(try folder.contents() == ["in"])
  }

  @Test("reconstruct writes a PNG, for any number of images")
  func pictures() throws {
    let folder = try TemporaryFolder()
    #expect(train("fit", "--data", "synthetic:8", "--epochs", "1", "--out", folder["run"]) == 0)
    for count in ["1", "7"] {
      #expect(
        train("reconstruct", "--checkpoint", folder["run"], "--data", "synthetic:9", "--count", count, "-o", folder["grid.png"])
          == 0)
      let grid = try Image(decoding: Array(try folder.read("grid.png")))
      #expect(grid.width > 400 && grid.channels == 3)
    }
  }

  @Test("info, bench and help end well; nonsense does not")
  func otherCommands() {
    #expect(train("info") == 0)
    #expect(train("info", "--graph") == 0)
    #expect(train("bench", "--steps", "3", "--threads", "2") == 0)
    #expect(train("bench", "--steps", "3", "--json") == 0)
    for command in ["fit", "grad", "bench", "reconstruct", "info"] { #expect(train(command, "--help") == 0) }
    #expect(train("nonsense") == 64)
    #expect(train("bench", "--threads", "0") == 64)
  }

  @Test("A checkpoint of another shape is refused")
  func foreignCheckpoint() throws {
    let folder = try TemporaryFolder()
    try write([("patch", [48], [Float](repeating: 0, count: 48))], to: folder["x.safetensors"])
    #expect(train("fit", "--resume", folder["x.safetensors"], "--data", "synthetic", "--out", folder["run"]) == 1)
    #expect(train("reconstruct", "--checkpoint", folder["x.safetensors"], "--data", "synthetic", "-o", folder["g.png"]) == 1)
    #expect(try folder.contents() == ["x.safetensors"])
  }

  private func losses(_ folder: TemporaryFolder, _ run: String) throws -> [Float] {
    try metrics(folder, run).map(\.loss)
  }

  private func metrics(_ folder: TemporaryFolder, _ run: String) throws -> [MetricsLine] {
    let text = String(decoding: try folder.read("\(run)/metrics.jsonl"), as: UTF8.self)
    return try text.split(separator: "\n").map { try JSONDecoder().decode(MetricsLine.self, from: Data($0.utf8)) }
  }
}
