import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMManifest
import WaMIMTraining

/// Where the calls of programs come from.
struct ProvenanceTests {
  /// Every operation stands on a line of its own, so that none can hide behind another one.
  private func numbered(_ graph: Graph) -> Graph {
    var graph = graph
    for index in graph.nodes.indices { graph.nodes[index].location = SourceLocation(file: "model.wg", line: index + 1) }
    return graph
  }

  @Test(arguments: 1...30 as ClosedRange<UInt64>, [true, false]) func callsOfRandomGraphsComeFromAllOperations(
    seed: UInt64, fuses: Bool
  ) throws {
    try expectAllOperations(of: numbered(try RandomGraph.draw(seed: seed)), fuses: fuses, "random graph of seed \(seed)")
  }

  @Test(arguments: WaMIMModel.variety, [true, false]) func callsOfModelsComeFromAllOperations(model: WaMIMModel, fuses: Bool) throws
  {
    try expectAllOperations(of: numbered(try model.graph()), fuses: fuses, "\(model)")
  }

  private func expectAllOperations(of graph: Graph, fuses: Bool, _ name: String) throws {
    let program = try program(for: graph, disabled: fuses ? [] : [Compilation.fusion])
    for schedule in program.schedules {
      let purpose = try #require(ScheduleRole(rawValue: schedule.name))
      let calls = program.calls(of: schedule)
      #expect(calls.allSatisfy { !$0.origins.entries.isEmpty }, "\(purpose): \(name)")
      let found = Set(calls.flatMap(\.origins.entries).map(\.line))
      let optimized = try Passes.run(graph, for: purpose)
      let lines = optimized.values.map { (value: $0, line: optimized[$0].location?.line ?? 0) }
      let missing = Set(lines.filter { optimized.isComputed($0.value) }.map(\.line)).subtracting(found)
      let strange = found.subtracting(lines.map(\.line))
      #expect(missing.subtracting([0]).isEmpty && strange.isEmpty, "\(purpose), \(fuses ? "fused" : "alone"): \(name)")
    }
  }

  private func program(for graph: Graph, disabled: Set<String> = [], sources: [String: String] = [:]) throws -> Program {
    // Without images there is no program; what they are is of no interest here.
    var graph = graph
    if graph.data == nil {
      let type = TensorType(.float32, [2, 1, 2, 2])
      _ = graph.append(Node(.input(name: "unused", type: type, binding: .data("images")), [], type: type))
    }
    return try Compilation(disabled: disabled, sources: sources).program(for: Model(graph), text: "", compiler: "test")
  }

  @Test func gradientsAndUpdatesComeFromTheLayersOfTheModel() throws {
    let graph = try WaMIMModel().graph()
    let program = try program(for: graph)
    let step = try #require(program.schedules.first { $0.name == "step" })
    let origins = program.calls(of: step).flatMap(\.origins.entries)
    func layers(_ region: Region) -> Set<String> {
      let tables = program.manifest.origins
      return Set(origins.filter { tables.regions[$0.region] == region.rawValue }.map { tables.layers[$0.layer] })
    }
    let owners = Set(graph.learnedParameters.map { graph[$0].scope })
    #expect(owners.subtracting(layers(.forward)).isEmpty)
    #expect(owners.subtracting(layers(.backward)).isEmpty)
    #expect(owners.subtracting(layers(.update)).isEmpty)
    #expect(layers(.update).subtracting(owners).isSubset(of: ["optimizer", "schedule"]))
  }

  @Test func textsAreKeptWhereTheyAreShort() throws {
    let graph = numbered(try WaMIMModel.variety[0].graph())
    for count in [100, 10_000] {
      let text = (1...count).map { "line \($0)" }.joined(separator: "\n")
      let source = try #require(try program(for: graph, sources: ["model.wg": text]).manifest.origins.sources.first)
      #expect(source.file == "model.wg" && source.lines.allSatisfy { $0.text == "line \($0.number)" })
      #expect(count == 100 ? source.lines.count == 100 : (1..<1000).contains(source.lines.count))
    }
  }
}

extension Program {
  /// What the manifest says of the calls of `schedule`.
  fileprivate func calls(of schedule: Schedule) -> [Manifest.Call] {
    schedule.phases.flatMap(\.groups).flatMap(\.calls).map { manifest.calls[$0.description] }
  }
}

extension Graph {
  /// Whether anybody has to do something for `value`: it is no source, and does not only show the elements of one.
  fileprivate func isComputed(_ value: ValueID) -> Bool {
    let node = self[value]
    switch node.operation {
    case .broadcast, .reshape, .transpose, .slice, .detach: return isComputed(node.operands[0])
    default: return !node.operation.isSource
    }
  }
}
