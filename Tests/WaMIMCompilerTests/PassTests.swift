import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter

/// Every pass, on whole models: the numbers before and after.
struct PassTests {
  @Test(arguments: WaMIMModel.variety, ScheduleRole.allCases) func modelsKeepTheirNumbers(model: WaMIMModel, purpose: ScheduleRole)
    throws
  {
    try expectSameNumbers(of: try model.graph(), for: purpose, seed: 11, "\(model)")
  }

  @Test(arguments: 1...60 as ClosedRange<UInt64>) func randomGraphsKeepTheirNumbers(seed: UInt64) throws {
    let graph = try RandomGraph.draw(seed: seed)
    for purpose in ScheduleRole.allCases {
      try expectSameNumbers(of: graph, for: purpose, seed: seed, "random graph of seed \(seed)")
    }
  }

  /// Compares outputs and updates after each pass with those of the graph that went through none of them.
  private func expectSameNumbers(of graph: Graph, for purpose: ScheduleRole, seed: UInt64, _ name: String) throws {
    var generator = SeededGenerator(seed: seed)
    let plain = try Passes.run(graph, for: purpose, disabled: Set(Passes.all.map(\.name)))
    let sources = plain.randomSources(using: &generator)
    let expected = try Interpreter(plain).evaluate(sources)
    _ = try Passes.run(graph, for: purpose) { pass, graph in
      try graph.verify()
      let actual = try Interpreter(graph).evaluate(sources)
      for output in graph.outputs {
        let error = relativeError(actual[output.value].elements, expected.outputs[output.name]?.elements ?? [])
        #expect(error < 1e-5, "\(output.name) after \(pass.name) for \(purpose): \(name)")
      }
      let updates = actual.updates
      for (state, value) in expected.updates where !graph.updates.isEmpty {
        #expect(relativeError(updates[state]?.elements ?? [], value.elements) < 1e-5, "\(state) after \(pass.name): \(name)")
      }
    }
  }

  @Test func everyPassCanBeSwitchedOffAlone() throws {
    var generator = SeededGenerator(seed: 5)
    let model = try WaMIMModel.variety[0].graph()
    let expected = try Passes.run(model, for: .gradients)
    let sources = expected.randomSources(using: &generator)
    let results = try Interpreter(expected).evaluate(sources).results
    for pass in Passes.all where pass.isOptional {
      let graph = try Passes.run(model, for: .gradients, disabled: [pass.name])
      for (name, value) in try Interpreter(graph).evaluate(sources).results {
        #expect(relativeError(value.elements, results[name]?.elements ?? []) < 1e-5, "\(name) without \(pass.name)")
      }
    }
  }

  @Test(arguments: ["gathers", "slices", "columns"]) func formerNamesGoOnWorking(what: String) throws {
    let model = try WaMIMModel.variety[0].graph()
    #expect(Passes.currentName(of: "sink-\(what)") == "hoist-\(what)")
    let former = try Passes.run(model, for: .step, disabled: ["sink-\(what)"])
    #expect(try former == Passes.run(model, for: .step, disabled: ["hoist-\(what)"]))
    #expect(try former != Passes.run(model, for: .step))
  }

  @Test func whatIsSaidAboutTheModelStays() throws {
    let model = try WaMIMModel().graph()
    // Only in mixed precision are there parameters to round.
    for purpose in ScheduleRole.allCases where purpose != .round {
      let graph = try Passes.run(model, for: purpose)
      #expect(graph.name == model.name)
      #expect(graph.learnedParameters.map { graph[$0].operation } == model.learnedParameters.map { model[$0].operation })
    }
  }
}

/// Chains of operations as long as a description may ask for.
struct LongGraphTests {
  @Test func longChainsDoNotExhaustTheStack() throws {
    let length = 60_000
    let graph = try Graph("long") { builder in
      var x = builder.parameter("x", [1, 4, 2], .constant(1))
      for _ in 0..<length { x = x.applying(.hyperbolicTangent) }
      let indices = builder.add(.rank, [builder.input("noise", [1, 4], from: .random)]).sliced(1, 0..<2)
      builder.minimize(x.gathered(indices).total())
    }
    #expect(try Passes.run(graph, for: .step).nodes.count > length)
  }
}
