import Foundation
import TestSupport
import Testing

/// What the command line says in place of the model's `train` block.
struct OverrideTests {
  /// A `train` block of which no value is a default.
  private static let block = """
    train {
      optimizer: adamw(base_lr: 0.05, betas: [0.8, 0.99], weight_decay: 0.3, epsilon: 1e-4, batch_accumulation: 2)
      schedule:  cosine(epochs: 2, warmup: 0.5, min_lr: 1e-4)
      augment:   [random_resized_crop(area: 0.5..0.8, aspect: 0.9..1.2), normalize(mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.4])]
    }
    """

  /// The same on the command line.
  private static let flags = [
    "--base-lr", "0.05", "--betas", "0.8,0.99", "--weight-decay", "0.3", "--epsilon", "1e-4", "--batch-accumulation", "2",
    "--epochs", "2", "--warmup", "0.5", "--min-lr", "1e-4", "--crop-area", "0.5..0.8", "--crop-aspect", "0.9..1.2",
    "--no-horizontal-flip", "--mean", "0.4,0.5,0.6", "--std", "0.2,0.3,0.4",
  ]

  @Test("Everything in the train block has a flag: told by flags, a run is that of a model that says the same")
  func flags() throws {
    let workshop = try Workshop()
    let settings = TrainingTests.tiny.flatMap { ["--set", $0] }
    let text = try String(contentsOfFile: Workshop.model("wamim_vit_demo"), encoding: .utf8)
    let model = text[..<(try #require(text.firstRange(of: "train {")).lowerBound)] + Self.block
    try String(model).write(toFile: workshop.path("model.wg"), atomically: true, encoding: .utf8)
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny, to: "plain")
    let compilation = try workshop.wamimc(["model.wg"] + settings + ["-o", "told"])
    try #require(compilation.status == 0, "\(compilation.errors)")

    func fit(_ name: String, _ words: [String]) throws {
      let result = try workshop.run(workshop.path(name), ["fit", "--pictures", "0"] + words)
      try #require(result.status == 0, "\(result.errors)")
    }
    func checkpoint(_ name: String) throws -> Data {
      try Data(contentsOf: URL(fileURLWithPath: workshop.path("\(name)/checkpoint.safetensors")))
    }
    let data = ["--data", "synthetic:40"]
    try fit("told", data + ["--out", "a"])
    try fit("plain", data + ["--out", "b"] + Self.flags)
    func tensors(_ name: String) throws -> [String: [Double]] {
      try Safetensors(contentsOf: workshop.path("\(name)/checkpoint.safetensors")).tensors.mapValues(\.elements)
    }
    let expected = try tensors("a")
    #expect(try tensors("b").filter { $0.value != expected[$0.key] }.keys.sorted() == [])
    // Each of them matters, and a resumed run goes on with what it was told.
    for flag in ["--betas", "--epsilon"] {
      let index = try #require(Self.flags.firstIndex(of: flag))
      try fit("plain", data + ["--out", "c", "--overwrite"] + Self.flags[..<index] + Self.flags[(index + 2)...])
      #expect(try tensors("c") != expected, "\(flag)")
    }
    try fit("plain", data + ["--out", "d", "--limit-steps", "3"] + Self.flags)
    try fit("plain", ["--resume", "d"])
    #expect(try checkpoint("d") == checkpoint("b"))
    // A shorter run warms up for the same share of its epochs, a longer one for as many epochs.
    for (epochs, warmup) in [("1", "0.25"), ("9", "0.5")] {
      try fit("told", data + ["--out", "e", "--overwrite", "--limit-steps", "1", "--epochs", epochs])
      let record = try String(contentsOfFile: workshop.path("e/run.json"), encoding: .utf8)
      #expect(record.contains("\"warmup\" : \"\(warmup)\""), "\(record)")
    }
  }

  @Test("info shows each setting of the train block with its flag")
  func information() throws {
    let workshop = try Workshop()
    let settings = TrainingTests.tiny.flatMap { ["--set", $0] }
    let text = try String(contentsOfFile: Workshop.model("wamim_vit_demo"), encoding: .utf8)
    let model = text[..<(try #require(text.firstRange(of: "train {")).lowerBound)] + Self.block
    try String(model).write(toFile: workshop.path("model.wg"), atomically: true, encoding: .utf8)
    let compilation = try workshop.wamimc(["model.wg"] + settings + ["-o", "told"])
    try #require(compilation.status == 0, "\(compilation.errors)")
    let lines = try workshop.run(workshop.path("told"), ["info"]).output.split(separator: "\n")
    for (flag, value) in [
      ("--epochs", "2.0"), ("--warmup", "0.5 "), ("--base-lr", "0.05 "), ("--min-lr", "0.0001 "), ("--batch-accumulation", "2 "),
      ("--weight-decay", "0.3 "), ("--betas", "0.8,0.99"), ("--epsilon", "0.0001"), ("--crop-area", "0.5..0.8"),
      ("--crop-aspect", "0.9..1.2"), ("--horizontal-flip", "false"), ("--mean", "0.4,0.5,0.6"), ("--std", "0.2,0.3,0.4"),
      ("--seed", "0"), ("--threads", ""),
    ] {
      let line = lines.first { $0.hasPrefix("\(flag) ") }?.dropFirst(flag.count).drop { $0 == " " }
      #expect(line?.hasPrefix(value) == true, "\(flag): \(line ?? "missing")")
    }
    let help = try workshop.run(workshop.path("told"), ["fit", "--help"]).output
    for flag in lines.drop(while: { !$0.hasPrefix("Training with") }).dropFirst().compactMap({ $0.split(separator: " ").first }) {
      #expect(help.contains("\(flag)"), "\(flag)")
    }
  }

  @Test("Settings that no optimiser could use are refused")
  func nonsense() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny)
    for (flag, value) in [
      ("--betas", "0.9"), ("--betas", "0.9,1"), ("--betas", "0.9,0.999999999"), ("--betas", "-0.1,0.9"), ("--betas", "a,b"),
      ("--epsilon", "0"), ("--epsilon", "1e-60"), ("--epsilon", "nan"), ("--epsilon", "inf"), ("--weight-decay", "nan"),
      ("--crop-area", "0.5..1.5"), ("--std", "0,1,1"), ("--warmup", "inf"), ("--epochs", "0"),
    ] {
      let result = try workshop.run(workshop.path("train"), ["fit", "--data", "synthetic:8", "\(flag)=\(value)"])
      #expect(result.status == 64 && result.errors.contains(flag), "\(flag) \(value): \(result.errors)")
    }
  }
}
