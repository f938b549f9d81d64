import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMTraining

/// The regions of nodes, through every pass.
struct RegionTests {
  @Test(arguments: 1...60 as ClosedRange<UInt64>) func randomGraphsKeepTheirRegions(seed: UInt64) throws {
    let graph = try RandomGraph.draw(seed: seed)
    for role in ScheduleRole.allCases { try expectRegions(of: graph, for: role, "random graph of seed \(seed)") }
  }

  @Test(arguments: WaMIMModel.variety) func modelsKeepTheirRegions(model: WaMIMModel) throws {
    for role in ScheduleRole.allCases { try expectRegions(of: try model.graph(), for: role, "\(model)") }
  }

  /// A pass may be asked for wherever regions are, not only where the compiler has it.
  @Test(arguments: 1...20 as ClosedRange<UInt64>) func everyPassKeepsDependenciesInOrder(seed: UInt64) throws {
    let step = try RandomGraph.draw(seed: seed).differentiated().with(UpdateRule())
    for pass in Passes.all where pass.isOptional {
      let graph = try pass.transform(step)
      #expect(graph.misplaced.isEmpty, "after \(pass.name): random graph of seed \(seed)")
      #expect(graph.isUpdatedByUpdates, "after \(pass.name): random graph of seed \(seed)")
    }
  }

  private func expectRegions(of graph: Graph, for role: ScheduleRole, _ name: String) throws {
    var isDifferentiated = false
    _ = try Passes.run(graph, for: role) { pass, graph in
      let moment = "after \(pass.name) for \(role): \(name)"
      isDifferentiated = isDifferentiated || pass.name == "differentiate"
      let regions = graph.nodes.map(\.region)
      #expect(zip(regions, regions.dropFirst()).allSatisfy { $0.order <= $1.order }, "\(moment)")
      #expect(graph.misplaced.isEmpty && graph.isUpdatedByUpdates, "\(moment)")
      #expect(graph.loss.map { graph[$0].region == .forward } ?? true, "\(moment)")
      #expect(regions.contains(.update) == ([.update, .average].contains(role) || isDifferentiated), "\(moment)")
      #expect(!regions.contains(.backward) || isDifferentiated, "\(moment)")
    }
  }

  @Test func whatIsComputedAgainBelongsToTheBackwardPass() throws {
    func backward(_ disabled: Set<String>) throws -> Int {
      try Passes.run(try WaMIMModel().graph(), for: .gradients, disabled: disabled).nodes.count { $0.region == .backward }
    }
    #expect(try backward([]) > backward(["recompute"]))
  }
}

extension Region {
  fileprivate var order: Int { Region.allCases.firstIndex(of: self) ?? 0 }
}

extension Graph {
  /// The values that depend on one of a later region.
  fileprivate var misplaced: [ValueID] {
    values.filter { value in self[value].operands.contains { self[$0].region.order > self[value].region.order } }
  }

  /// Whether what states hold after the step is of the region for that, and no parameter is.
  fileprivate var isUpdatedByUpdates: Bool {
    updates.allSatisfy { self[$0.value].region == .update } && learnedParameters.allSatisfy { self[$0].region == .forward }
  }
}
