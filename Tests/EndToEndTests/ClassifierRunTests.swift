import Foundation
import TestSupport
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
    let words = ["--data", "synthetic:22", "--val", "synthetic:7", "--epochs", "2", "--base-lr", "1e-2", "--ema", "0.9"]
    try fit(words + ["--out", "whole", "--threads", "1", "--loader-threads", "1"])
    try fit(words + ["--out", "parts", "--threads", "2", "--limit-steps", "3"])
    try fit(["--resume", "parts", "--threads", "3", "--loader-threads", "4"])
    #expect(try checkpoint(workshop, "parts") == checkpoint(workshop, "whole"))
    let metrics = try String(contentsOfFile: workshop.path("parts/metrics.jsonl"), encoding: .utf8)
    #expect(metrics.split(separator: "\n").count { $0.contains("\"validation_accuracy\":{\"top1\":") } == 2)
    #expect(metrics.split(separator: "\n").count { $0.contains("\"ema\":{") } == 2)
  }

  @Test("Running means follow the parameters, and are evaluated and written in their place")
  func averaged() throws {
    let workshop = try Workshop()
    try workshop.compile("finetune_vit", Self.settings)
    func run(_ words: String..., status: Int32 = 0) throws -> CommandResult {
      let result = try workshop.run(workshop.path("train"), words)
      try #require(result.status == status, "\(words): \(result.errors)")
      return result
    }
    func tensors(_ file: String) throws -> [String: [Double]] { try Safetensors(contentsOf: workshop.path(file)).elements }
    let words = ["fit", "--data", "synthetic:8", "--base-lr", "1e-2", "--log-every", "1", "--threads", "1"]
    // A run that keeps none goes on keeping some, which begin with its parameters.
    try #require(try workshop.run(workshop.path("train"), words + ["--epochs", "2", "--limit-steps", "1"]).status == 0)
    let first = try tensors("run/checkpoint.safetensors")
    #expect(!first.keys.contains { $0.hasPrefix("ema.") })
    let refused = try run("evaluate", "--checkpoint", "run", "--data", "synthetic:8", "--ema", status: 1)
    #expect(refused.errors.contains("has no running means of the parameters"), "\(refused.errors)")
    _ = try run("fit", "--resume", "run", "--val", "synthetic:8", "--ema", "0.75", "--every", "1", "--keep", "4")
    let steps = try [first] + ["-00000002", "-00000003", ""].map { try tensors("run/checkpoint\($0).safetensors") }
    for (before, after) in zip(steps, steps.dropFirst()) {
      for (name, average) in after where name.hasPrefix("ema.") {
        let parameter = String(name.dropFirst(4))
        let start = try #require(before[name] ?? before[parameter])
        let expected = zip(start, try #require(after[parameter])).map { 0.75 * $0 + 0.25 * $1 }
        #expect(relativeError(average, expected) < 1e-6, "\(name)")
      }
    }
    #expect(steps[3].keys.count { $0.hasPrefix("ema.") } == steps[3].keys.count { $0.hasPrefix("first_moment.") })

    let metrics = try String(contentsOfFile: workshop.path("run/metrics.jsonl"), encoding: .utf8).split(separator: "\n")
    #expect(metrics.contains { $0.contains("\"layer_learning_rates\":[") })
    let plain = try run("evaluate", "--checkpoint", "run", "--data", "synthetic:8").output
    let mean = try run("evaluate", "--checkpoint", "run", "--data", "synthetic:8", "--ema").output
    #expect(plain != mean)
    for (options, prefix) in [([], ""), (["--ema"], "ema.")] {
      let words = ["export", "--timm", "--checkpoint", "run", "-o", "timm.safetensors"] + options
      try #require(try workshop.run(workshop.path("train"), words).status == 0)
      let exported = try tensors("timm.safetensors")
      #expect(exported.allSatisfy { steps[3][prefix + $0.key] == $0.value })
    }
  }

  @Test("What cannot be done is refused before the work, with the option at fault, and nothing is changed")
  func refused() throws {
    let workshop = try Workshop()
    try workshop.compile("finetune_vit", Self.settings)
    func shell(_ script: String) throws -> CommandResult { try workshop.run("/bin/bash", ["-c", script]) }
    let picture = Workshop.repository.appendingPathComponent("Tests/WaMIMRuntimeTests/Fixtures/upright.png").path
    let made = try shell(
      """
      for class in cat dog owl; do mkdir -p data/$class; cp '\(picture)' data/$class/1.png; cp '\(picture)' data/$class/2.png; done
      cp -r data other && mkdir broken && echo no image > broken/a.png
      ./train fit --data data --epochs 4 --base-lr 1e-3 && ./train evaluate --checkpoint run --data data
      """)
    try #require(made.status == 0, "\(made.errors)")
    let sums = "find run evaluation -type f ! -name lock | sort | xargs sha256sum; ls -d */"
    let before = try shell(sums).output
    let cases = [
      ("fit --resume run --epochs 2", "has made 4 steps, and with --epochs 2.00 it ends after 2"),
      ("fit --resume run --epochs 9 --limit-steps 4", "has made 4 steps already; give --limit-steps more"),
      ("fit --resume run --epochs 9 --val broken", "--val \(workshop.path("broken")): none of its 1 image can be read"),
      ("fit --resume run --epochs 9 --val-labels x.csv", "--val-labels tells the classes of the images of --val"),
      ("fit --data data --out new --knn-labels x.csv", "--knn-labels tells the classes of the images of --knn"),
      ("fit --data data --out new --val other/cat", "which image is of which class with --val-labels FILE"),
      ("evaluate --checkpoint run --data data -o run/graph.wg", "is not a folder; give another -o"),
      ("evaluate --checkpoint run --data broken", "none of its 1 image can be read"),
      ("evaluate --checkpoint run --data data -o evaluation/metrics.json/x", "cannot make the folder"),
    ]
    for (words, expected) in cases {
      let result = try shell("./train \(words)")
      #expect(result.status == 1 && result.errors.contains(expected), "\(words): \(result.errors)")
      #expect(try shell(sums).output == before, "\(words)")
    }
    // A file that is too large for what is left of the disk comes before the first that is replaced.
    let full = try shell("{ ulimit -f 0; ./train evaluate --checkpoint run --data data; } 2>&1 | cat; exit ${PIPESTATUS[0]}")
    #expect(full.status == 1 && full.output.contains("File too large"), "\(full.output)")
    #expect(try shell(sums).output == before)
    let both = try shell(
      "./train predict --checkpoint run --data data --data other -o both.csv && cut -d, -f1 both.csv | sort -u | wc -l")
    #expect(both.output.hasSuffix("13\n"), "\(both.output)")
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
