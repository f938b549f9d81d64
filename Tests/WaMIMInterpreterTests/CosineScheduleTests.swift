import TestSupport
import Testing
import WaMIMGraph
import WaMIMInterpreter
import WaMIMTraining

/// The schedule of the learning rate as a layer, against its formula.
struct CosineScheduleTests {
  /// Usual runs, and those of which a stretch has no length.
  static let schedules: [CosineFormula] = [
    .init(epochs: 400, warmup: 40, peak: 5e-5), .init(epochs: 100, warmup: 10, peak: 2e-3, minimum: 1e-5),
    .init(epochs: 1.3, warmup: 0.1, peak: 6e-3), .init(epochs: 10, warmup: 0, peak: 1), .init(epochs: 10, warmup: 10, peak: 0.5),
    .init(epochs: 3, warmup: 5, peak: 0.5), .init(epochs: 1e-3, warmup: 1e-4, peak: 1e-3),
    .init(epochs: 7, warmup: 0, peak: 0.125, minimum: 0.125), .init(epochs: 2, warmup: 1, peak: 0),
    .init(epochs: 1e6, warmup: 1, peak: 1),
  ]

  @Test(arguments: schedules) func agreesWithTheFormula(formula: CosineFormula) throws {
    let graph = try Graph("schedule") { builder in
      builder.output("rate", CosineSchedule().learningRate(in: builder))
    }
    let interpreter = Interpreter(graph)
    let moments =
      (0...600).map { formula.epochs * Double($0) / 600 } + [formula.warmup.nextDown, formula.warmup, formula.warmup.nextUp]
    for progress in moments where (0...formula.epochs).contains(progress) {
      let evaluation = try interpreter.evaluate([
        "schedule.progress": [progress], "schedule.epochs": [formula.epochs], "schedule.warmup": [formula.warmup],
        "schedule.peak_lr": [formula.peak], "schedule.min_lr": [formula.minimum],
      ])
      let rate = try #require(evaluation["rate"]?.elements.first)
      #expect(abs(rate - formula.rate(after: progress)) <= 1e-12 * formula.peak, "after \(progress) epochs of \(formula)")
    }
  }

  /// Quarter turns, where what floating-point sines miss would show.
  @Test func halfTurnsAreExactAtMultiplesOfOneHalf() throws {
    let numbers = (-32...32).map { Double($0) / 2 } + [4_503_599_627_370_495.5, 9_007_199_254_740_991, 1e300]
    let graph = try Graph("turns") { builder in
      let x = builder.input("x", [numbers.count])
      builder.output("cosine", x.applying(.cosinePi))
      builder.output("sine", x.applying(.sinePi))
    }
    let evaluation = try Interpreter(graph).evaluate(["x": numbers])
    for (name, shift) in [("cosine", 1), ("sine", 0)] {
      for (number, result) in zip(numbers, try #require(evaluation[name]).elements) {
        let quarters = (Int((2 * number).truncatingRemainder(dividingBy: 4)) + shift + 4) % 4
        #expect(result == [0, 1, 0, -1][quarters], "\(name) of \(number)")
      }
    }
    let signs = try #require(evaluation["sine"]).elements[..<65].enumerated().filter { $0.element == 0 }
    #expect(signs.allSatisfy { $0.element.sign == ($0.offset < 32 ? .minus : .plus) }, "a zero has the sign of its argument")
  }
}
