import Foundation
import Testing

/// Runs of compiled classifiers, from drawn images with classes to what they take other images for.
struct ClassifierRunTests {
  private static let settings = [
    "size=demo", "image=32", "patch=8", "dim=24", "depth=2", "heads=2", "classes=3", "batch=4", "drop_path=0.3",
  ]

  private func checkpoint(_ workshop: borrowing Workshop, _ run: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: workshop.path("\(run)/checkpoint.safetensors")))
  }

  @Test(
    "Augmented, erased and mixed runs end with the same bits, interrupted or not, on any number of threads",
    arguments: [[], ["--micro-batch", "1"]])
  func resumed(options: [String]) throws {
    let workshop = try Workshop()
    try workshop.compile("finetune_vit", Self.settings, options: options)
    func fit(_ words: [String]) throws {
      let result = try workshop.run(workshop.path("train"), ["fit"] + words)
      try #require(result.status == 0, "\(result.errors)")
    }
    let words = ["--data", "synthetic:22", "--val", "synthetic:7", "--epochs", "2", "--base-lr", "1e-2"]
    try fit(words + ["--out", "whole", "--threads", "1", "--loader-threads", "1"])
    try fit(words + ["--out", "parts", "--threads", "2", "--limit-steps", "3"])
    try fit(["--resume", "parts", "--threads", "3", "--loader-threads", "4"])
    #expect(try checkpoint(workshop, "parts") == checkpoint(workshop, "whole"))
    let metrics = try String(contentsOfFile: workshop.path("parts/metrics.jsonl"), encoding: .utf8)
    #expect(metrics.split(separator: "\n").count { $0.contains("\"validation_accuracy\":{\"top1\":") } == 2)
  }

  @Test("Each image is evaluated once and asked about once, whatever the batch")
  func evaluated() throws {
    let workshop = try Workshop()
    try workshop.compile("finetune_vit", Self.settings)
    try workshop.compile("finetune_vit", Self.settings, options: ["--micro-batch", "1"], to: "one")
    #expect(
      try workshop.run(workshop.path("train"), ["fit", "--data", "synthetic:20", "--epochs", "1", "--base-lr", "1e-2"]).status == 0)
    var figures: [String] = []
    for name in ["train", "one"] {
      let evaluation = try workshop.run(
        workshop.path(name), ["evaluate", "--checkpoint", "run", "--data", "synthetic:11", "-o", "\(name)-evaluation"])
      try #require(evaluation.status == 0, "\(evaluation.errors)")
      #expect(evaluation.output.hasPrefix("11 images: loss "), "\(evaluation.output)")
      figures.append(try String(contentsOfFile: workshop.path("\(name)-evaluation/confusion.csv"), encoding: .utf8))
      let prediction = try workshop.run(
        workshop.path(name), ["predict", "--checkpoint", "run", "--data", "synthetic:11", "-o", "\(name).csv"])
      try #require(prediction.status == 0, "\(prediction.errors)")
      let rows = try String(contentsOfFile: workshop.path("\(name).csv"), encoding: .utf8).split(separator: "\n")
      #expect(rows.count == 12 && Set(rows).count == 12 && rows[0] == "file,class,probability")
    }
    #expect(figures[0] == figures[1])
  }
}
