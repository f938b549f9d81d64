import Foundation
import TestSupport
import Testing

/// Runs of a compiled trainer that end in other ways than well, and what they leave for others.
struct TrainingTests {
  static let tiny = [
    "image=32", "patch=8", "dim=24", "depth=4", "heads=2", "taps=[1, 2, 3, 4]", "levels=[1, 2, 3, 4]", "decoder_dim=16",
    "decoder_heads=2", "batch=4",
  ]

  @Test("Where files cannot be locked, a warning says so and the run goes on")
  func withoutLocks() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny)
    let source = "#include <errno.h>\nint flock(int file, int operation) { errno = ENOLCK; return -1; }\n"
    try Data(source.utf8).write(to: URL(fileURLWithPath: workshop.path("flock.c")))
    try #require(try workshop.run("/bin/sh", ["-c", "cc -shared -fPIC -o flock.so flock.c"]).status == 0)
    let result = try workshop.run(
      workshop.path("train"), ["fit", "--data", "synthetic:4", "--epochs", "1"],
      environment: ["LD_PRELOAD": workshop.path("flock.so")])
    #expect(result.status == 0 && result.errors.contains("run cannot be locked (No locks available)"), "\(result.errors)")
  }

  @Test("A file that may not grow is an error, and keeps the last checkpoint")
  func fileSizeLimit() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny)
    #expect(try workshop.run("/bin/bash", ["-c", "./train fit --data synthetic:40 --epochs 2 --limit-steps 3"]).status == 0)
    let before = try data(workshop.path("run/checkpoint.safetensors"))
    let limited = try workshop.run("/bin/bash", ["-c", "ulimit -f 300; ./train fit --resume run"])
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
    #expect(begun.output.contains(/norms +2 +8 +norm.weight/), "\(begun.output)")
    let second = try Safetensors(contentsOf: workshop.path("second/checkpoint.safetensors")).tensors
    #expect(second["norms.3.weight"]?.elements == encoder["norm.weight"]?.elements)
    #expect(second["blocks.2.attn.qkv.weight"]?.elements == encoder["blocks.2.attn.qkv.weight"]?.elements)

    // The same under Hugging Face's names, and a file that has little of it.
    for prefix in ["", "vit."] {
      let file = workshop.path("transformers\(prefix)safetensors")
      try Data(Safetensors.bytes(of: transformers(encoder, prefix: prefix))).write(to: URL(fileURLWithPath: file))
      let words = ["--data", "synthetic:40", "--base-lr", "0", "--limit-steps", "1", "--out", "third", "--overwrite"]
      let third = try workshop.run(workshop.path("train"), ["fit", "--init", file] + words)
      try #require(third.status == 0, "\(third.errors)")
      #expect(third.output.contains(/blocks +48 +48 +\S*encoder.layer.0.layernorm_before.weight/), "\(third.output)")
      #expect(try Safetensors(contentsOf: workshop.path("third/checkpoint.safetensors")).tensors == second)
    }
    let little = encoder.filter { $0.key == "cls_token" }
    try Data(Safetensors.bytes(of: little)).write(to: URL(fileURLWithPath: workshop.path("little.safetensors")))
    let refused = try workshop.run(
      workshop.path("train"), ["fit", "--init", "little.safetensors", "--data", "synthetic:40", "--out", "fourth"])
    #expect(refused.status == 1 && refused.errors.contains("has none of this model's blocks"), "\(refused.errors)")

    try FileManager.default.createSymbolicLink(atPath: workshop.path("link"), withDestinationPath: "run/checkpoint.safetensors")
    for output in ["run/checkpoint.safetensors", "link", "train"] {
      let over = try workshop.run(workshop.path("train"), ["export", "--timm", "--checkpoint", "run", "-o", output])
      #expect(over.status == 1 && over.errors.contains("-o \(output) would replace"), "\(over.errors)")
    }
    #expect(try Safetensors(contentsOf: workshop.path("run/checkpoint.safetensors")).tensors == checkpoint)
  }

  /// An encoder under the names that Hugging Face's library gives it.
  private func transformers(_ encoder: [String: Safetensors.Tensor], prefix: String) -> [String: Safetensors.Tensor] {
    let names = [
      "norm1": "layernorm_before", "attn.proj": "attention.output.dense", "norm2": "layernorm_after",
      "mlp.fc1": "intermediate.dense", "mlp.fc2": "output.dense", "cls_token": "embeddings.cls_token",
      "pos_embed": "embeddings.position_embeddings", "patch_embed.proj": "embeddings.patch_embeddings.projection",
      "norm": "layernorm",
    ]
    var result = ["classifier.weight": Safetensors.Tensor(shape: [2], elements: [1, 2])]
    for (name, tensor) in encoder {
      var components = name.split(separator: ".").map(String.init)
      let kind = ["weight", "bias"].contains(components.last) ? ".\(components.removeLast())" : ""
      let layer = components.first == "blocks" ? "encoder.layer.\(components[1])." : ""
      if components.first == "blocks" { components.removeFirst(2) }
      let inner = components.joined(separator: ".")
      guard inner == "attn.qkv" else {
        result[prefix + layer + (names[inner] ?? inner) + kind] = tensor
        continue
      }
      let count = tensor.elements.count / 3
      for (index, side) in ["query", "key", "value"].enumerated() {
        result["\(prefix)\(layer)attention.attention.\(side)\(kind)"] = Safetensors.Tensor(
          shape: [tensor.shape[0] / 3] + tensor.shape.dropFirst(),
          elements: Array(tensor.elements[index * count..<(index + 1) * count]))
      }
    }
    return result
  }

  private func data(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }
}
