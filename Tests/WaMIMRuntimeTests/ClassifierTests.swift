import CFakeProgram
import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

@Suite("Classifiers") struct ClassifierTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  private static let classes = ["blue sky", "grün", "red"]

  /// A picture in which the channel of that number is the strongest.
  private func picture(_ channel: Int, _ number: Int) throws -> [UInt8] {
    var color = [UInt8](repeating: 40, count: 3)
    color[channel] = UInt8(200 + number)
    return try Image(width: 12, height: 10, channels: 3, pixels: (0..<12 * 10).flatMap { _ in color }).encodedAsPNG()
  }

  /// A folder with a folder for each class, whose images have the most of the channel of its number.
  private func makeData(_ name: String, images: Int) throws {
    for (index, category) in Self.classes.enumerated() {
      for number in 0..<images { try folder.write(try picture(index, number), to: "\(name)/\(category)/\(number), x.png") }
    }
  }

  private func classify(_ arguments: String...) -> Int32 { train(arguments, on: wamim_fake_classifier) }

  private func text(_ name: String) throws -> String { String(decoding: try folder.read(name), as: UTF8.self) }

  @Test("A run learns from labels, tells accuracies, and is evaluated and asked afterwards")
  func wholeRun() throws {
    try makeData("train", images: 4)
    try makeData("val", images: 3)
    // One image lies where it does not belong, and one is none.
    try FileManager.default.moveItem(atPath: folder["val/red/2, x.png"], toPath: folder["val/grün/wrong.png"])
    try folder.write(Array("no image".utf8), to: "val/red/broken.png")
    #expect(
      classify(
        "fit", "--data", folder["train"], "--val", folder["val"], "--out", folder["run"], "--epochs", "3", "--mixup", "0.8",
        "--cutmix",
        "1", "--label-smoothing", "0.1", "--random-erasing", "0.25", "--threads", "2") == 0)
    let lines = try text("run/metrics.jsonl").split(separator: "\n").filter { $0.contains("validation_loss") }
    #expect(lines.count == 3 && lines.allSatisfy { $0.contains("\"validation_accuracy\":{\"top1\":0.888") })
    #expect(try text("run/unreadable-validation.txt").contains("broken.png"))
    let events = try #require(try folder.contents("run").first { $0.hasPrefix("events") })
    let bytes = try folder.read("run/\(events)")
    for tag in ["validation/top1", "validation/top2", "confusion", "mistakes"] {
      // More guesses than make sense are not told.
      #expect((bytes.range(of: Data(tag.utf8)) != nil) == (tag != "validation/top2"), "\(tag)")
    }
    #expect(classify("evaluate", "--checkpoint", folder["run"], "--data", folder["val"], "-o", folder["evaluation"]) == 0)
    #expect(try folder.contents("evaluation") == ["classes.csv", "confusion.csv", "confusion.png", "metrics.json"])
    #expect(try text("evaluation/confusion.csv") == "class,blue sky,grün,red\nblue sky,3,0,0\ngrün,0,3,1\nred,0,0,2\n")
    #expect(
      try text("evaluation/classes.csv")
        == "class,images,correct,accuracy\nblue sky,3,3,1.000000\ngrün,4,3,0.750000\nred,2,2,1.000000\n")
    #expect(try text("evaluation/metrics.json").contains("\"images\" : 9"))
    _ = try Image(decoding: Array(try folder.read("evaluation/confusion.png")))
    #expect(classify("predict", "--checkpoint", folder["run"], "--data", folder["val"], "-o", folder["guesses.csv"]) == 0)
    let guesses = try text("guesses.csv").split(separator: "\n")
    #expect(guesses.count == 10 && guesses[0] == "file,class,probability")
    #expect(
      guesses.contains { $0.hasPrefix("\"blue sky/0, x.png\",blue sky,0.") }
        && guesses.contains { $0.hasPrefix("grün/wrong.png,red,0.") })
    // What it takes images for can be learned from in turn.
    #expect(
      classify(
        "evaluate", "--checkpoint", folder["run"], "--data", folder["val"], "--labels", folder["guesses.csv"], "-o", folder["own"])
        == 0)
    #expect(try text("own/metrics.json").contains("\"top1\" : 1"))
  }

  @Test("A run that is interrupted and continued ends with the same bits, weights and mixing and all")
  func resumed() throws {
    try makeData("train", images: 6)
    let rows = Self.classes.enumerated().flatMap { index, name in
      (0..<6).map { "\"\(name)/\($0), x.png\",\(name),\(Double(1 + index) / 2 + Double($0))\n" }
    }
    try folder.write(Array(("file,class,weight\n" + rows.joined()).utf8), to: "labels.csv")
    func arguments(_ run: String) -> [String] {
      [
        "fit", "--data", folder["train"], "--labels", folder["labels.csv"], "--out", folder[run], "--epochs", "3", "--mixup", "0.8",
        "--cutmix", "1", "--rand-augment", "9", "--random-erasing", "0.5",
      ]
    }
    #expect(train(arguments("whole") + ["--threads", "1", "--loader-threads", "1"], on: wamim_fake_classifier) == 0)
    #expect(train(arguments("parts") + ["--limit-steps", "5"], on: wamim_fake_classifier) == 0)
    #expect(classify("fit", "--resume", folder["parts"], "--threads", "2", "--loader-threads", "4") == 0)
    let (whole, parts) = (try tensors(folder["whole/checkpoint.safetensors"]), try tensors(folder["parts/checkpoint.safetensors"]))
    #expect(whole == parts && whole["scale"] != [1, 1, 1])
    // Other labels are other data.
    try folder.write(
      Array(("file,class,weight\n" + rows.reversed().joined().replacingOccurrences(of: "2.5", with: "2")).utf8), to: "labels.csv")
    #expect(classify("fit", "--resume", folder["parts"], "--epochs", "4") != 0)
  }

  @Test("What does not go together is refused before anything is written")
  func refusals() throws {
    try makeData("train", images: 2)
    try FileManager.default.createDirectory(atPath: folder["train/void"], withIntermediateDirectories: true)
    #expect(classify("fit", "--data", folder["train"], "--out", folder["run"]) != 0)
    try FileManager.default.removeItem(atPath: folder["train/void"])
    try folder.write(try picture(0, 0), to: "other/yellow/a.png")
    #expect(classify("fit", "--data", folder["train"], "--val", folder["other"], "--out", folder["run"]) != 0)
    #expect(try !folder.contents().contains("run"))
    // Programs that take no labels cannot be told any, nor mixed, nor evaluated.
    #expect(train("fit", "--data", folder["train"], "--labels", folder["labels.csv"], "--out", folder["run"]) != 0)
    #expect(train("fit", "--data", folder["train"], "--mixup", "0.8", "--out", folder["run"]) != 0)
    #expect(train("evaluate", "--checkpoint", folder["run"], "--data", folder["train"], "-o", folder["evaluation"]) != 0)
    #expect(try folder.contents() == ["other", "train"])
  }

  // MARK: Figures

  @Test("Ranks count larger logits and equal ones of lower classes, and losses are cross-entropies")
  func ranks() throws {
    var numbers = RandomNumbers(seed: 4, purpose: .selection)
    let names = (0..<7).map { "\($0)" }
    var score = ClassificationScore(try ClassTable(names), ranks: [5, 1, 3, 7])
    #expect(score.ranks == [1, 3, 5])
    var hits = [0, 0, 0]
    var weightedHits = 0.0
    var (loss, weight) = (0.0, 0.0)
    for _ in 0..<500 {
      let logits = (0..<7).map { _ in Float(numbers.next(below: 5)) }
      let label = Label(category: numbers.next(below: 7), weight: Float(numbers.next(below: 4)))
      // A stable sort, as the reference has it.
      let order = logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
      for (index, limit) in [1, 3, 5].enumerated() where order.prefix(limit).contains(label.category) { hits[index] += 1 }
      if order[0] == label.category { weightedHits += Double(label.weight) }
      loss += Double(label.weight) * (log(logits.reduce(0) { $0 + exp(Double($1)) }) - Double(logits[label.category]))
      weight += Double(label.weight)
      score.add(label, logits: logits[...])
      #expect(Prediction(logits[...]).category == order[0])
    }
    #expect(score.accuracies == hits.map { Double($0) / 500 } && score.count == 500)
    #expect(abs(score.loss - loss / weight) < 1e-9 && abs(score.weightedAccuracies[0] - weightedHits / weight) < 1e-12)
    #expect(score.confusion.reduce(0, +) == 500 && score.perClass.reduce(0) { $0 + $1.correct } == hits[0])
  }

  @Test("Confusion matrices are drawn, small and large", arguments: [1, 3, 40, 300])
  func confusionPicture(count: Int) throws {
    var score = ClassificationScore(try ClassTable((0..<count).map { "class \($0)" }), ranks: [1])
    for category in 0..<count {
      score.add(Label(category: category), logits: (0..<count).map { $0 == category / 2 ? 1 : 0 }[...])
    }
    let picture = ConfusionPicture.draw(score)
    #expect(picture.pixels.count == picture.width * picture.height * 3 && picture.width >= count)
    #expect(Set(picture.pixels).count > 2)
  }
}
