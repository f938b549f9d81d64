import Testing
import WaMIMGraph
import WaMIMLanguage
import WaMIMTraining

/// Printed graphs describe the graphs that were printed.
@Suite struct RoundTripTests {
  @Test("random graphs survive printing and reading")
  func randomGraphs() throws {
    let all = Set(OperationSchema.all.map(\.name))
    var names: Set<String> = []
    // Some operations are rare.
    for index in 0..<UInt64(3000) where index < 300 || names != all {
      let model = RandomGraph.make(seed: seed &+ index)
      try model.graph.verify()
      names.formUnion(model.graph.nodes.map(\.operation.name))
      let text = Language.print(model)
      let again = try Language.model(source: text, file: "dump.wg")
      #expect(again.withoutLocations == model.withoutLocations, "seed \(seed &+ index)")
      #expect(Language.print(again) == text, "seed \(seed &+ index)")
    }
    #expect(names == all, "every operation occurs, seed \(seed)")
  }

  @Test("what AdamW and its schedule add to a graph survives, too")
  func updates() throws {
    let model = try Model("updates") { builder in
      let weight = builder.parameter("weight", [3, 4], .xavierUniform(fanIn: 4, fanOut: 3))
      builder.minimize(weight.total())
      AdamW.update([(weight, weight * 2)], rate: CosineSchedule().learningRate(in: builder), in: builder)
    }
    #expect(model.graph.updates.count == 3)
    let again = try Language.model(source: Language.print(model), file: "dump.wg")
    #expect(again.withoutLocations == model.withoutLocations)
  }
}
