import Foundation
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMLanguage

import struct WaMIMRuntime.Image

/// Gradients that add up: over the micro-batches of a batch, and over several batches.
struct AccumulationTests {
  static let tiny = TrainingTests.tiny

  /// A line of metrics.jsonl, of a step or an evaluation.
  private struct Line: Decodable {
    var step: Int
    var epoch: Double
    var loss: Double?
    var losses: [Double]?
    var learningRate: Double?
    var gradientNorm: Double?
    var validationLoss: Double?

    private enum CodingKeys: String, CodingKey {
      case step, epoch, loss, losses
      case learningRate = "learning_rate"
      case gradientNorm = "gradient_norm"
      case validationLoss = "validation_loss"
    }
  }

  // MARK: Micro-batches

  /// Models and the micro-batches that they are cut into.
  private static let cuts: [(settings: [String], samples: Int)] = [
    (AgreementTests.golden, 1), (AgreementTests.golden + ["batch=6"], 3), (AgreementTests.golden + ["batch=8", "ratio=0.6"], 2),
    (AgreementTests.golden + ["batch=6", "subbands=all", "normalization=token"], 2),
    (AgreementTests.golden + ["batch=4", "normalization=none", "decoder_dim=48", "decoder_heads=2"], 2),
  ]

  @Test(arguments: Array(cuts.indices).sampled(oneOf: 2)) func microBatchesGiveTheGradientsOfTheBatch(index: Int) throws {
    let (settings, samples) = AccumulationTests.cuts[index]
    let workshop = try Workshop()
    let graph = try Language.model(contentsOf: Workshop.model("wamim_vit_demo"), overrides: settings.map { try Override($0) }).graph
    var generator = SeededGenerator(seed: 23)
    let sources = graph.randomSources(using: &generator)
    try workshop.write(sources, of: graph, to: "in.safetensors")
    let expected = try AgreementTests.results(graph, sources)
    try workshop.compile("wamim_vit_demo", settings, to: "whole")
    try workshop.compile("wamim_vit_demo", settings, options: ["--micro-batch", "\(samples)"], to: "cut")
    func gradients(_ trainer: String, threads: Int) throws -> Data {
      let result = try workshop.run(
        workshop.path(trainer),
        ["grad", "--input", "in.safetensors", "--output", "out", "--adamw-steps", "2", "--threads", "\(threads)"])
      try #require(result.status == 0, "\(result.errors)")
      return try Data(contentsOf: URL(fileURLWithPath: workshop.path("out")))
    }
    let whole = try gradients("whole", threads: 2)
    try whole.write(to: URL(fileURLWithPath: workshop.path("whole.safetensors")))
    let first = try gradients("cut", threads: 1)
    for threads in 2...3 { #expect(try gradients("cut", threads: threads) == first, "\(threads) threads") }
    let uncut = try Safetensors(contentsOf: workshop.path("whole.safetensors")).tensors
    let cut = try Safetensors(contentsOf: workshop.path("out")).tensors
    #expect(Set(cut.keys) == Set(uncut.keys))
    for (name, tensor) in expected {
      let found = try #require(cut[name], "no output '\(name)'")
      #expect(found.shape == uncut[name]?.shape, "\(name)")
      #expect(relativeError(found.elements, tensor.elements) <= AgreementTests.tolerance, "\(name)")
    }
    let losses = try #require(cut["adamw.losses"]?.elements)
    #expect(relativeError(losses, uncut["adamw.losses"]?.elements ?? []) <= 1e-4)
  }

  @Test("A run on micro-batches is that on whole ones, evaluations, pictures and measurements included")
  func cutRuns() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", AccumulationTests.tiny, to: "whole")
    try workshop.compile("wamim_vit_demo", AccumulationTests.tiny, options: ["--micro-batch", "2"], to: "cut")
    let words = ["--data", "synthetic:26", "--epochs", "2", "--val", "synthetic:9", "--log-every", "1"]
    let whole = try run(workshop, "whole", words)
    let cut = try run(workshop, "cut", words)
    #expect(cut.map(\.step) == whole.map(\.step) && whole.count == 14)
    expectSame(cut, whole)
    // The cut run may go on where the whole one stopped.
    let resumed = try workshop.run(workshop.path("cut"), ["fit", "--resume", "whole.run", "--epochs", "3"])
    #expect(resumed.status == 0, "\(resumed.errors)")

    let benches = try ["whole", "cut"].map { name in
      let bench = try workshop.run(workshop.path(name), ["bench", "--steps", "2", "--json"])
      try #require(bench.status == 0, "\(bench.errors)")
      return try #require(try JSONSerialization.jsonObject(with: Data(bench.output.utf8)) as? [String: Any])["loss"] as? Double
    }
    #expect(abs(try #require(benches[0]) - #require(benches[1])) < 1e-4)
    #expect(try workshop.run(workshop.path("cut"), ["bench", "--steps", "1"]).output.contains("batch 4 in 2 micro-batches of 2"))
    let information = try workshop.run(workshop.path("cut"), ["info"]).output
    #expect(information.contains("batch         4 in 2 micro-batches of 2") && !information.contains("\nstep "))

    let pictures = try ["whole", "cut"].map { name in
      let drawing = try workshop.run(
        workshop.path(name),
        ["reconstruct", "--checkpoint", "whole.run", "--data", "synthetic:9", "--count", "7", "-o", "\(name).png"])
      try #require(drawing.status == 0, "\(drawing.errors)")
      return try Image(decoding: Array(Data(contentsOf: URL(fileURLWithPath: workshop.path("\(name).png")))))
    }
    // The same images with the same masks; products of other sizes may round to the next shade.
    #expect(pictures[0].pixels.count == pictures[1].pixels.count)
    #expect(zip(pictures[0].pixels, pictures[1].pixels).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
  }

  // MARK: Several batches

  @Test("Steps on two batches of four are those on one batch of eight", arguments: [[], ["--micro-batch", "2"]])
  func batches(options: [String]) throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", AccumulationTests.tiny, options: options, to: "accumulating")
    try workshop.compile("wamim_vit_demo", AccumulationTests.tiny + ["batch=8"], to: "large")
    let words = ["--data", "synthetic:53", "--epochs", "2", "--log-every", "1", "--min-lr", "1e-4"]
    let accumulated = try run(workshop, "accumulating", words + ["--batch-accumulation", "2"])
    let expected = try run(workshop, "large", words)
    #expect(expected.count == 12)
    expectSame(accumulated, expected)
    let states = try ["accumulating", "large"].map { name in
      try Safetensors(contentsOf: workshop.path("\(name).run/checkpoint.safetensors")).tensors
    }
    #expect(Set(states[0].keys) == Set(states[1].keys))
    // The gradient for the keys' bias is mostly rounding, which Adam scales up.
    for (name, tensor) in states[1] where !name.hasSuffix("attn.qkv.bias") {
      #expect(relativeError(states[0][name]?.elements ?? [], tensor.elements) < 1e-5, "\(name)")
    }
  }

  @Test("A resumed run on several batches a step ends with the bits of one that was never interrupted, on any number of threads")
  func resuming() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", AccumulationTests.tiny, options: ["--micro-batch", "2"], to: "train")
    let words = ["--data", "synthetic:40", "--epochs", "2", "--batch-accumulation", "3", "--every", "2"]
    func checkpoint(_ name: String) throws -> Data {
      try Data(contentsOf: URL(fileURLWithPath: workshop.path("\(name)/checkpoint.safetensors")))
    }
    func tensors(_ name: String) throws -> [String: Safetensors.Tensor] {
      try Safetensors(contentsOf: workshop.path("\(name)/checkpoint.safetensors")).tensors
    }
    func train(_ words: [String]) throws {
      let result = try workshop.run(workshop.path("train"), ["fit"] + words)
      try #require(result.status == 0, "\(result.errors)")
    }
    try train(words + ["--out", "one", "--threads", "1"])
    try train(words + ["--out", "three", "--threads", "3"])
    #expect(try checkpoint("three") == checkpoint("one"))
    try train(words + ["--out", "halves", "--limit-steps", "3"])
    try train(["--resume", "halves", "--threads", "2"])
    #expect(try checkpoint("halves") == checkpoint("one"))
    // Evaluations use the same memory in between.
    try train(words + ["--out", "evaluated", "--val", "synthetic:8"])
    let (evaluated, plain) = try (tensors("evaluated"), tensors("one"))
    for (name, tensor) in plain { #expect(evaluated[name]?.elements == tensor.elements, "\(name)") }
    let refused = try workshop.run(workshop.path("train"), ["fit", "--resume", "one", "--batch-accumulation", "2"])
    #expect(refused.status == 1 && refused.errors.contains("has --batch-accumulation 3, not 2"), "\(refused.errors)")
  }

  // MARK: What people are told

  @Test("The model says how many batches a step takes, and the command line can say otherwise")
  func defaults() throws {
    let workshop = try Workshop()
    let text = try String(contentsOfFile: Workshop.model("wamim_vit_demo"), encoding: .utf8)
      .replacingOccurrences(of: "weight_decay: 0.05)", with: "weight_decay: 0.05, batch_accumulation: 3)")
      .replacingOccurrences(of: "warmup: 0.1)", with: "warmup: 0.1, min_lr: 1e-5)")
    try text.write(toFile: workshop.path("model.wg"), atomically: true, encoding: .utf8)
    let settings = AccumulationTests.tiny.flatMap { ["--set", $0] }
    let compilation = try workshop.wamimc(["model.wg"] + settings + ["-o", "train"])
    try #require(compilation.status == 0, "\(compilation.errors)")
    let information = try workshop.run(workshop.path("train"), ["info"]).output
    #expect(information.contains(#/--batch-accumulation +3  /#) && information.contains("images a step 12"), "\(information)")
    #expect(information.contains(#/--min-lr +1e-05  /#), "\(information)")
    let run = try workshop.run(workshop.path("train"), ["fit", "--data", "synthetic:36", "--epochs", "1", "--base-lr", "0.256"])
    #expect(run.output.contains("3 steps of 3 x 4 images an epoch, 3 steps"), "\(run.output)\(run.errors)")
    #expect(try lines(workshop, "run").count == 3)
    let alone = try workshop.run(
      workshop.path("train"), ["fit", "--data", "synthetic:36", "--epochs", "1", "--out", "other", "--batch-accumulation", "1"])
    #expect(alone.output.contains("9 steps of 4 an epoch"), "\(alone.output)\(alone.errors)")
    for (words, message) in [
      (["--batch-accumulation", "0"], "--batch-accumulation has to be from 1 to 1000000"),
      (["--batch-accumulation", "two"], "'two' is invalid for '--batch-accumulation <n>'"),
      (["--min-lr=-1"], "--min-lr has to be 0 or more"),
    ] {
      let result = try workshop.run(workshop.path("train"), ["fit", "--data", "synthetic"] + words)
      #expect(result.status == 64 && result.errors.contains(message), "\(result.errors)")
    }
  }

  @Test func badBudgetsAreRefused() throws {
    let workshop = try Workshop()
    let model = [Workshop.model("wamim_vit_demo")] + AccumulationTests.tiny.flatMap { ["--set", $0] } + ["--emit", "plan"]
    for size in ["12apples", "0", "-5MiB", "1e3", "MiB", "1.5", "nan", "infMiB", "0x10"] {
      let result = try workshop.wamimc(model + ["--memory=\(size)"])
      #expect(result.status == 64, "\(size)")
      #expect(
        result.errors.contains("--memory takes a size such as 1500MiB, 1.5GiB or a number of bytes, not '\(size)'"),
        "\(result.errors)")
    }
    let small = try workshop.wamimc(model + ["--memory", "300KiB"])
    #expect(small.status == 1 && small.output.isEmpty)
    #expect(
      small.errors.hasPrefix("error: training takes more memory than 0.3 MiB: at least ")
        && small.errors.hasSuffix(" of 4 samples at a time\n"), "\(small.errors)")
    let odd = try workshop.wamimc(model + ["--micro-batch", "3"])
    #expect(odd.status == 1 && odd.errors.contains("into micro-batches of 3, only of 1, 2, 4"), "\(odd.errors)")
    #expect(try workshop.wamimc(model + ["--micro-batch", "2", "--memory", "1GiB"]).status == 64)
    let whole = try workshop.wamimc(model + ["--memory", "1.5GiB"])
    #expect(whole.status == 0 && whole.output.contains("\nbatch 4\n"), "\(whole.errors)")
    let cut = try workshop.wamimc(model + ["--micro-batch", "1"])
    #expect(cut.output.contains("\nbatch 4, in 4 micro-batches of 1\n") && !cut.output.contains("schedule step"))
  }

  // MARK: Runs

  /// Trains, and returns the lines of the metrics.
  private func run(_ workshop: borrowing Workshop, _ name: String, _ words: [String]) throws -> [Line] {
    let result = try workshop.run(workshop.path(name), ["fit", "--out", "\(name).run"] + words)
    try #require(result.status == 0, "\(result.errors)")
    return try lines(workshop, "\(name).run")
  }

  private func lines(_ workshop: borrowing Workshop, _ folder: String) throws -> [Line] {
    let metrics = try String(contentsOfFile: workshop.path("\(folder)/metrics.jsonl"), encoding: .utf8)
    return try metrics.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
  }

  private func expectSame(_ actual: [Line], _ expected: [Line]) {
    #expect(actual.count == expected.count)
    for (line, other) in zip(actual, expected) {
      #expect(line.step == other.step && line.epoch == other.epoch && line.learningRate == other.learningRate)
      for (value, wanted) in [
        (line.loss, other.loss), (line.gradientNorm, other.gradientNorm), (line.validationLoss, other.validationLoss),
      ] {
        #expect((value == nil) == (wanted == nil))
        #expect(abs((value ?? 0) - (wanted ?? 0)) <= 1e-5 * abs(wanted ?? 0), "step \(line.step): \(line) and \(other)")
      }
      #expect(relativeError(line.losses ?? [], other.losses ?? []) < 1e-5, "step \(line.step)")
    }
  }
}
