import Foundation
import TestSupport
import Testing
import WaMIMRuntime

/// Nearest neighbours and probes on features that are kept, against the reference in PyTorch.
struct FeatureTests {
  private static func fixture(_ name: String, file: String = #filePath) throws -> TestSupport.Safetensors {
    let folder = URL(fileURLWithPath: file).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Golden")
    return try TestSupport.Safetensors(contentsOf: folder.appendingPathComponent("\(name).safetensors").path)
  }

  private static func table(_ features: TestSupport.Safetensors.Tensor, _ labels: TestSupport.Safetensors.Tensor? = nil)
    -> FeatureTable
  {
    FeatureTable(
      width: features.shape[1], values: features.elements.map { Float($0) }, labels: labels?.elements.map { Int32($0) } ?? [])
  }

  @Test(arguments: [1, 3]) func votesAreThoseOfTheReference(threads: Int) throws {
    let (given, expected) = (try Self.fixture("neighbours.in").tensors, try Self.fixture("neighbours.out").tensors)
    let scores = try #require(expected["scores"])
    let train = Self.table(try #require(given["train"]), given["train_labels"])
    let neighbours = try NearestNeighbours(train, classes: scores.shape[1], threads: threads)
    let votes = try neighbours.votes(Self.table(try #require(given["test"])), neighbours: [5, 20])[1]
    #expect(relativeError(votes.map { Double($0) }, scores.elements) < 1e-4)
    let predictions = try #require(expected["prediction"]).elements
    for (index, prediction) in predictions.enumerated() {
      var accuracy = RankedAccuracy(ranks: [1])
      accuracy.add(votes[index * scores.shape[1]..<(index + 1) * scores.shape[1]], label: Int(prediction))
      #expect(accuracy.shares == [1])
    }
  }

  /// As by sorting all similarities, whatever the number of neighbours, threads and images.
  @Test(arguments: 1...12) func nearestAreTheFirstInOrder(seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    let (count, width, classes) = (Int.random(in: 1...90, using: &generator), Int.random(in: 1...19, using: &generator), 4)
    // Few values, so that many similarities are equal.
    func draw(_ rows: Int) -> [Float] { (0..<rows * width).map { _ in Float(Int.random(in: 0...1, using: &generator)) } }
    let train = FeatureTable(
      width: width, values: draw(count), labels: (0..<count).map { _ in Int32(Int.random(in: 0..<classes, using: &generator)) })
    let test = FeatureTable(width: width, values: draw(7))
    let ks = [1, 3, 200]
    let votes = try (1...3).map { try NearestNeighbours(train, classes: classes, threads: $0).votes(test, neighbours: ks) }
    #expect(votes[0] == votes[1] && votes[0] == votes[2])
    func unit(_ table: FeatureTable, _ row: Int) -> [Double] {
      let values = table.values[row * width..<(row + 1) * width].map { Double($0) }
      let length = max(values.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-12)
      return values.map { $0 / length }
    }
    for row in 0..<7 {
      let similarities = (0..<count).map { image in zip(unit(test, row), unit(train, image)).reduce(0) { $0 + $1.0 * $1.1 } }
      for (place, k) in ks.enumerated() {
        let total = similarities.sorted(by: >).prefix(k).reduce(0) { $0 + exp($1 / 0.07) }
        let found = votes[0][place][row * classes..<(row + 1) * classes].reduce(0) { $0 + Double($1) }
        #expect(abs(found - total) <= 1e-4 * total, "seed \(seed), k \(k)")
      }
    }
  }

  @Test(arguments: [1, 3]) func probeIsThatOfTheReference(threads: Int) throws {
    let (given, expected) = (try Self.fixture("probe.in").tensors, try Self.fixture("probe.out").tensors)
    let features = try #require(given["features"])
    let table = Self.table(features, given["labels"])
    let probe = LinearProbe(width: 24, classes: 7, threads: threads, seed: 0)
    for (matrix, name) in [(probe.weight, "head.1.weight"), (probe.bias, "head.1.bias")] {
      for (index, value) in try #require(given[name]).elements.enumerated() { matrix.elements[index] = Float(value) }
    }
    probe.runningMean = try #require(given["head.0.running_mean"]).elements.map { Float($0) }
    probe.runningVariance = try #require(given["head.0.running_var"]).elements.map { Float($0) }
    let rows = SharedMatrix(table.values, columns: 24)
    let losses = try (0..<3).map { _ in
      try probe.step(rows, images: (0..<32).map { $0 }, labels: table.labels, rate: 0.4, LinearProbe.Options())
    }
    func expectAgreement(_ values: [Float], _ name: String) throws {
      #expect(relativeError(values.map { Double($0) }, try #require(expected[name]).elements) < 1e-4, "\(name)")
    }
    try expectAgreement(losses.map { Float($0) }, "lars.losses")
    try expectAgreement(Array(probe.weight.elements), "lars.head.1.weight")
    try expectAgreement(Array(probe.bias.elements), "lars.head.1.bias")
    try expectAgreement(probe.runningMean, "lars.head.0.running_mean")
    try expectAgreement(probe.runningVariance, "lars.head.0.running_var")
    try expectAgreement(try probe.logits(table), "eval.logits")
  }

  @Test func aProbeLearnsWhatIsThere() throws {
    var generator = SeededGenerator(seed: 1)
    let labels = (0..<600).map { _ in Int32(Int.random(in: 0..<3, using: &generator)) }
    let values = labels.flatMap { label in
      (0..<8).map { Float($0 == Int(label) ? 1 : 0) + Float.random(in: -0.6...0.6, using: &generator) }
    }
    let table = FeatureTable(width: 8, values: values, labels: labels)
    var options = LinearProbe.Options()
    options.baseLearningRate = 20
    let probe = LinearProbe(width: 8, classes: 3, threads: 2, seed: 3)
    var losses: [Double] = []
    try probe.train(on: table, options) { _, loss in losses.append(loss) }
    #expect(losses.count == 90 && losses[89] < losses[0])
    var accuracy = RankedAccuracy(ranks: [1, 2])
    let logits = try probe.logits(table)
    for (index, label) in labels.enumerated() { accuracy.add(logits[3 * index..<3 * index + 3], label: Int(label)) }
    #expect(accuracy.shares[0] > 0.85 && accuracy.shares[1] >= accuracy.shares[0])
  }

  @Test func equalScoresRankByClass() {
    var accuracy = RankedAccuracy(ranks: [1, 2])
    accuracy.add([1, 1, 0], label: 1)
    accuracy.add([Float.nan, 1, 0], label: 0)
    #expect(accuracy.shares == [0, 0.5])
  }
}
