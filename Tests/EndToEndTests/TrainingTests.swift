import Foundation
import TestSupport
import Testing

/// Runs of a compiled trainer that end in other ways than well, and what they leave for others.
struct TrainingTests {
  static let tiny = [
    "image=32", "patch=8", "dim=24", "depth=4", "heads=2", "taps=[1, 2, 3, 4]", "levels=[1, 2, 3, 4]", "decoder_dim=16",
    "decoder_heads=2", "batch=4",
  ]

  @Test("A signal ends the step, saves, and tells the command that goes on with the same bits", arguments: ["INT", "TERM"])
  func signals(signal: String) throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny)
    let train = "./train fit --data synthetic:200 --epochs 8"
    // A shell without job control keeps SIGINT from what it starts in the background, so that the signal comes from outside of it.
    let script = """
      set -m
      \(train) --out cut > said & process=$!
      until [ -f cut/metrics.jsonl ] && [ "$(wc -l < cut/metrics.jsonl)" -ge 20 ]; do sleep 0.01; done
      kill -\(signal) $process
      wait $process
      """
    let cut = try workshop.run("/bin/bash", ["-c", script])
    #expect(cut.status == 0, "\(cut.errors)")
    let said = try String(contentsOfFile: workshop.path("said"), encoding: .utf8)
    let command = try #require(said.split(separator: "\n").last { $0.hasPrefix("to continue: ") }).dropFirst("to continue: ".count)
    #expect(try workshop.run("/bin/bash", ["-c", String(command)]).status == 0)
    #expect(try workshop.run("/bin/bash", ["-c", "\(train) --out whole"]).status == 0)
    #expect(try data(workshop.path("cut/checkpoint.safetensors")) == data(workshop.path("whole/checkpoint.safetensors")))
  }

  @Test("A file that may not grow is an error, and keeps the last checkpoint")
  func fileSizeLimit() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny)
    #expect(try workshop.run("/bin/bash", ["-c", "./train fit --data synthetic:40 --epochs 2 --limit-steps 3"]).status == 0)
    let before = try data(workshop.path("run/checkpoint.safetensors"))
    let limited = try workshop.run("/bin/bash", ["-c", "ulimit -f 100; ./train fit --resume run"])
    #expect(limited.status == 1)
    #expect(limited.errors.contains("cannot write run/checkpoint.safetensors: File too large"), "\(limited.errors)")
    #expect(try data(workshop.path("run/checkpoint.safetensors")) == before)
    #expect(try workshop.run(workshop.path("train"), ["fit", "--resume", "run"]).status == 0)
  }

  @Test(
    "Where numbers overflow, the step and the first kernel are named",
    arguments: [([], []), (["--micro-batch", "2"], []), ([], ["--batch-accumulation", "2"])]
      as [(options: [String], words: [String])])
  func overflow(options: [String], more: [String]) throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny, options: options)
    let words = ["fit", "--data", "synthetic:40", "--epochs", "2", "--warmup", "0", "--weight-decay", "0"] + more
    // Steps of this size leave parameters whose products overflow in the next step.
    let result = try workshop.run(workshop.path("train"), words + ["--base-lr", "1e24"])
    #expect(result.status == 1)
    let kernel = try #require(
      result.errors.firstMatch(
        of:
          /error: step 2: the first number that is not finite is a result of the kernel k\d+ `.+` \(.+, phase \d+\), so the run stops/
      ),
      "\(result.errors)")
    let checked = try workshop.run(workshop.path("train"), words + ["--base-lr", "1e24", "--check-values", "--overwrite"])
    #expect(checked.status == 1)
    #expect(checked.errors.contains(kernel.output), "\(checked.errors)")
  }

  @Test("The first step is recorded with its command, and its norm of gradients is that of the first moments that it leaves")
  func records() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny)
    let result = try workshop.run(workshop.path("train"), ["fit", "--data", "synthetic:40", "--limit-steps", "1"])
    try #require(result.status == 0, "\(result.errors)")
    let record = try JSONSerialization.jsonObject(with: data(workshop.path("run/run.json"))) as? [String: Any]
    let sessions = record?["sessions"] as? [[String: Any]]
    #expect(
      sessions?.first?["command"] as? [String] == [workshop.path("train"), "fit", "--data", "synthetic:40", "--limit-steps", "1"])
    let checkpoint = try Safetensors(contentsOf: workshop.path("run/checkpoint.safetensors"))
    let squares = checkpoint.tensors.filter { $0.key.hasPrefix("first_moment.") }.values.flatMap(\.elements).map { $0 * $0 }
    let line = try JSONSerialization.jsonObject(with: data(workshop.path("run/metrics.jsonl"))) as? [String: Any]
    let norm = try #require(line?["gradient_norm"] as? Double)
    // The first moment is a tenth of the gradient after one step.
    let expected = squares.reduce(0, +).squareRoot() / 0.1
    #expect(abs(norm - expected) < 1e-5 * expected, "\(norm) and \(expected)")
  }

  @Test("The encoder is written alone, under timm's names, and a run can begin with it")
  func export() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny)
    #expect(try workshop.run(workshop.path("train"), ["fit", "--data", "synthetic:40", "--limit-steps", "2"]).status == 0)
    let export = try workshop.run(workshop.path("train"), ["export", "--timm", "--checkpoint", "run", "-o", "encoder.safetensors"])
    try #require(export.status == 0, "\(export.errors)")
    #expect(
      export.output.contains(
        "timm.create_model('vit_base_patch16_224', img_size=32, patch_size=8, embed_dim=24, depth=4, num_heads=2, num_classes=0)"))
    let encoder = try Safetensors(contentsOf: workshop.path("encoder.safetensors")).tensors
    let checkpoint = try Safetensors(contentsOf: workshop.path("run/checkpoint.safetensors")).tensors
    #expect(encoder.count == 4 + 4 * 12 + 2)
    #expect(encoder["pos_embed"]?.shape == [1, 17, 24])
    #expect(encoder["pos_embed"]?.elements.prefix(24).allSatisfy { $0 == 0 } == true)
    #expect(encoder["norm.weight"]?.elements == checkpoint["norms.3.weight"]?.elements)
    for (name, tensor) in encoder where name != "pos_embed" && !name.hasPrefix("norm.") {
      #expect(tensor.elements == checkpoint[name]?.elements && tensor.shape == checkpoint[name]?.shape, "\(name)")
    }
    let begun = try workshop.run(
      workshop.path("train"),
      ["fit", "--init", "encoder.safetensors", "--data", "synthetic:40", "--base-lr", "0", "--limit-steps", "1", "--out", "second"])
    try #require(begun.status == 0, "\(begun.errors)")
    #expect(begun.output.contains("begun afresh: norms (6 tensors), decoders ("), "\(begun.output)")
    #expect(begun.output.contains("not in this model: pos_embed\n"), "\(begun.output)")
    let second = try Safetensors(contentsOf: workshop.path("second/checkpoint.safetensors")).tensors
    #expect(second["norms.3.weight"]?.elements == encoder["norm.weight"]?.elements)
    #expect(second["blocks.2.attn.qkv.weight"]?.elements == encoder["blocks.2.attn.qkv.weight"]?.elements)
  }

  private func data(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }
}
