import Foundation
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter

/// The whole model against the reference implementation.
struct GoldenCaseTests {
  let tolerance = 1e-4

  /// Without the optional passes, and with all of them.
  static let disabled: [Set<String>] = [Set(Passes.all.map(\.name)), []]

  @Test(arguments: disabled) func lossesTargetsAndGradientsAgree(disabled: Set<String>) throws {
    let golden = try GoldenCase()
    let evaluations = try [ScheduleRole.forward, .gradients].map {
      try Interpreter(Passes.run(golden.model.graph(), for: $0, disabled: disabled)).evaluate(golden.input.elements).results
    }
    let results = evaluations[0].merging(evaluations[1]) { forward, _ in forward }
    for (name, expected) in golden.output.tensors where !name.hasPrefix("adamw.") {
      let actual = try #require(results[name], "no output '\(name)'")
      #expect(relativeError(actual.elements, expected.elements) <= tolerance, "\(name)")
    }
  }

  @Test(arguments: disabled) func threeStepsOfTheOptimizerAgree(disabled: Set<String>) throws {
    let golden = try GoldenCase()
    let interpreter = Interpreter(try Passes.run(golden.model.graph(), for: .step, disabled: disabled))
    var sources = golden.input.elements
    var losses: [Double] = []
    for step in 1...3 {
      sources["schedule.progress"] = [Double(step - 1)]
      sources["schedule.epochs"] = [3]
      sources["schedule.warmup"] = [0]
      sources["schedule.peak_lr"] = [1e-3]
      sources["schedule.min_lr"] = [1e-3]
      sources["optimizer.weight_decay"] = [0.05]
      sources["optimizer.beta1"] = [0.9]
      sources["optimizer.beta2"] = [0.95]
      sources["optimizer.epsilon"] = [1e-8]
      sources["optimizer.first_moment_correction"] = [1 / (1 - pow(0.9, Double(step)))]
      sources["optimizer.second_moment_correction"] = [1 / (1 - pow(0.95, Double(step)))]
      let evaluation = try interpreter.evaluate(sources)
      losses.append(try #require(evaluation.loss))
      #expect(relativeError(try #require(evaluation["learning_rate"]).elements, [1e-3]) < 1e-6)
      sources.merge(evaluation.updates.mapValues(\.elements)) { _, new in new }
    }
    let expected = try #require(golden.output.tensors["adamw.losses"])
    #expect(relativeError(losses, expected.elements) <= tolerance)
    for (name, expected) in golden.output.tensors where name.hasPrefix("adamw.") && name != "adamw.losses" {
      let actual = try #require(sources[String(name.dropFirst("adamw.".count))])
      #expect(relativeError(determined(actual, name), determined(expected.elements, name)) <= tolerance, "\(name)")
    }
  }

  /// The elements of a parameter that have a value to agree on after a step of Adam.
  ///
  /// Attention does not change when all keys move by the same vector, so the gradient for the keys' bias is zero; in single
  /// precision it is rounding error, which Adam scales up to steps of the size of the learning rate.
  private func determined(_ elements: [Double], _ name: String) -> [Double] {
    guard name.hasSuffix("attn.qkv.bias") else { return elements }
    let width = elements.count / 3
    return Array(elements[..<width] + elements[(2 * width)...])
  }
}
