import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter

/// Every pass, on whole models: the numbers before and after.
struct PassTests {
  @Test(arguments: WaMIMModel.variety, Purpose.allCases) func passesKeepTheNumbers(model: WaMIMModel, purpose: Purpose) throws {
    var generator = SeededGenerator(seed: 11)
    let plain = try Passes.run(try model.graph(), for: purpose, disabled: Set(Passes.all.map(\.name)))
    let sources = plain.randomSources(using: &generator)
    let expected = try Interpreter(plain).evaluate(sources)
    _ = try Passes.run(try model.graph(), for: purpose) { pass, graph in
      try graph.verify()
      let isComplete = graph.outputs.count == plain.outputs.count && graph.updates.count == plain.updates.count
      guard isComplete else { return }
      let actual = try Interpreter(graph).evaluate(sources)
      for (name, value) in expected.outputs {
        #expect(relativeError(actual.outputs[name]?.elements ?? [], value.elements) < 1e-5, "\(name) after \(pass.name): \(model)")
      }
      for (name, value) in expected.updates {
        #expect(relativeError(actual.updates[name]?.elements ?? [], value.elements) < 1e-5, "\(name) after \(pass.name): \(model)")
      }
    }
  }
}
