import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMTraining

/// Parameters whose group says that they keep their values.
struct FrozenParameterTests {
  /// A product of two weights, of which the first is `isFrozen`.
  private func graph(isFrozen: Bool) throws -> Graph {
    try Graph("frozen") { builder in
      let images = builder.input("images", [2, 1, 4, 4]).reshaped([2, 16])
      let first = builder.parameter("first", [16, 8], .constant(1), group: ParameterGroup(isFrozen: isFrozen))
      let second = builder.parameter("second", [8, 3], .constant(1))
      builder.minimize(images.matmul(first).matmul(second).total())
    }
  }

  private func updated(_ graph: Graph) -> [String] {
    graph.updates.compactMap { graph[$0.state].operation.sourceName }.sorted()
  }

  @Test func stepsChangeOnlyTheOthers() throws {
    for role in [ScheduleRole.step, .update] {
      let names = updated(try Passes.run(try graph(isFrozen: true), for: role))
      #expect(names.contains("second") && names.contains("second_moment.second"), "\(role)")
      #expect(!names.contains { $0.hasSuffix("first") }, "\(role): \(names)")
      #expect(updated(try Passes.run(try graph(isFrozen: false), for: role)).contains("first"), "\(role)")
    }
  }

  @Test func noGradientIsComputedForThem() throws {
    #expect(updated(try Passes.run(try graph(isFrozen: true), for: .gradients)) == ["grad.second"])
    func products(_ isFrozen: Bool) throws -> Int {
      try Passes.run(try graph(isFrozen: isFrozen), for: .gradients).nodes.count {
        if case .matmul = $0.operation { true } else { false }
      }
    }
    #expect(try products(true) < products(false))
  }

  @Test func theProgramKeepsThemAmongItsParameters() throws {
    let program = try Compilation().program(for: Model(try graph(isFrozen: true)), text: "", compiler: "test")
    let parameters = program.manifest.states.filter { $0.role == .parameter }.map(\.tensor.name)
    #expect(Set(parameters) == ["first", "second"])
  }
}
