import Foundation
import TestSupport
import Testing

/// The learning rate that a compiled trainer uses, step by step.
struct ScheduleTests {
  /// A line of metrics.jsonl.
  private struct Line: Decodable {
    var step: Int
    var learningRate: Double

    private enum CodingKeys: String, CodingKey {
      case step
      case learningRate = "learning_rate"
    }
  }

  @Test func compiledSchedulesAgreeWithTheFormula() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", AgreementTests.golden + ["depth=1", "taps=[1]", "levels=[2]", "weights=[1.0]"])
    // 12 images are 4 steps of 3; 0.256 for a batch of 256 is 0.003 for one of 3.
    for formula in [
      CosineFormula(epochs: 5, warmup: 1.6, peak: 3e-3), .init(epochs: 3, warmup: 0, peak: 3e-3),
      .init(epochs: 2, warmup: 2, peak: 3e-3),
      .init(epochs: 1.5, warmup: 4, peak: 3e-3),
    ] {
      let result = try workshop.run(
        workshop.path("train"),
        [
          "fit", "--data", "synthetic:12", "--out", "run", "--overwrite", "--base-lr", "0.256", "--epochs", "\(formula.epochs)",
          "--warmup", "\(formula.warmup)",
        ])
      try #require(result.status == 0, "\(result.errors)")
      let metrics = try String(contentsOfFile: workshop.path("run/metrics.jsonl"), encoding: .utf8)
      let lines = try metrics.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
      #expect(lines.count == Int(4 * formula.epochs))
      for line in lines {
        let expected = formula.rate(after: Double(line.step - 1) / 4)
        #expect(abs(line.learningRate - expected) <= 1e-6 * formula.peak, "step \(line.step) of \(formula)")
      }
    }
  }
}
