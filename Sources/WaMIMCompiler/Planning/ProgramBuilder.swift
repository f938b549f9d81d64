import WaMIMGraph
import WaMIMManifest
import WaMIMTraining

/// Lowers and plans the schedules of a program over one arena.
struct ProgramBuilder {
  /// A schedule to be: what it is for and the graph that it carries out.
  struct Source {
    var role: ScheduleRole
    var graph: Graph
    /// How outputs of micro-batches become those of the batch; what is not named is the same for each.
    var combinations: [String: Manifest.Combination]
  }

  /// What a program is about besides its schedules.
  struct Subject {
    /// The model as it was described.
    var model: Model
    /// The graph as text.
    var text: String
    /// The compiler's version.
    var compiler: String
    /// Samples that a schedule takes at a time.
    var microBatch: Int
    /// The texts that describe the model, by the names of their files.
    var sources: [String: String]
  }

  private var kernels: [Kernel] = []
  private var variants: [Variant] = []
  private var numbers: [Work: KernelID] = [:]
  private var descriptions: [Manifest.Call] = []
  private var origins = OriginTable()
  private let subject: Subject
  private let fuses: Bool
  private let merges: Bool
  private let backend: any Backend

  /// What a variant is chosen for: calls that are alike in this share a kernel.
  private struct Work: Hashable {
    var kernel: Kernel
    var units: Int
  }

  /// - Parameters:
  ///   - fuses: Whether values share kernels.
  ///   - merges: Whether calls are gathered that the target can make at the same time.
  init(_ subject: Subject, fuses: Bool, merges: Bool, backend: any Backend) {
    self.subject = subject
    self.fuses = fuses
    self.merges = merges
    self.backend = backend
  }

  /// The program that carries out `sources`.
  mutating func build(_ sources: [Source]) throws -> Program {
    let sources = try sources.map { source in
      var graph = source.graph.withSeparatedReductions()
      if fuses { graph = try graph.withSumsWithinUnits().withSamplesScatteredTogether(backend.samplesScatteredTogether) }
      return Source(role: source.role, graph: graph, combinations: source.combinations)
    }
    let (always, averaging) = (sources.filter { $0.role != .average }, sources.filter { $0.role == .average })
    var layout = PersistentLayout(always.map(\.graph))
    var schedules: [Schedule] = []
    var described: [Manifest.Schedule] = []
    for source in always + averaging {
      // Behind all else, running means are memory that a run without them never touches.
      if source.role == .average { layout.add([source.graph], from: schedules.map(\.arenaBytes).max() ?? 0) }
      let (schedule, description) = try plan(source, layout)
      schedules.append(schedule)
      described.append(description)
    }
    let model = subject.model
    let manifest = Manifest(
      model: model.name, compiler: subject.compiler, processor: .init(name: "", features: []), callsBLAS: false,
      batch: model.graph.batch, microBatch: subject.microBatch, evaluatesOtherwise: model.evaluation != nil, states: states(layout),
      accumulators: accumulators(layout),
      inputs: inputs(layout),
      schedules: described, calls: descriptions, origins: origins.tables(texts: subject.sources),
      attentionHeads: model.graph.attentionHeads, positionTables: positionTables(layout), recipe: model.recipe,
      pictures: model.pictures, graph: subject.text)
    return Program(
      name: model.name, kernels: kernels, variants: variants, schedules: schedules, constants: constants(layout),
      arenaBytes: schedules.map(\.arenaBytes).max() ?? layout.arenaBytes, scratchBytes: schedules.map(\.scratchBytes).max() ?? 0,
      accumulatorBytes: layout.accumulatorBytes, manifest: manifest)
  }

  private mutating func plan(_ source: Source, _ layout: PersistentLayout) throws -> (Schedule, Manifest.Schedule) {
    let graph = source.graph
    let arrangement = try Arrangement(of: graph, fuses: fuses, merges: merges, backend: backend)
    let lowering = arrangement.lowering
    var planner = SchedulePlanner(
      graph, arrangement.order.calls, arrangement.phases, persistent: layout.allocations(in: graph), start: layout.arenaBytes)
    let outputs = Set(graph.outputs.map { lowering.storage[$0.value].root })
    let schedule = planner.plan(name: source.role.rawValue, outputs: outputs) { register($0) }
    let tensors = graph.outputs.compactMap { output -> Manifest.Output? in
      let view = lowering.storage[output.value]
      guard let offset = planner.arenaOffset(of: view.root) else { return nil }
      let type = graph[output.value].type
      let tensor = Manifest.Tensor(
        name: output.name, type: type.element, shape: type.shape.dimensions,
        offset: offset + view.offset * type.element.byteCount)
      return Manifest.Output(tensor: tensor, combination: source.combinations[output.name] ?? .same)
    }
    let description = Manifest.Schedule(
      role: source.role, outputs: tensors, arenaBytes: schedule.arenaBytes, scratchBytes: schedule.scratchBytes,
      usesAccumulators: schedule.usesAccumulators,
      lossPhase: graph.updates.isEmpty ? nil : graph.loss.flatMap { planner.lastPhase(writing: lowering.clustering.base($0)) })
    return (schedule, description)
  }

  private mutating func register(_ call: LoweredCall) -> (KernelID, Int) {
    let work = Work(kernel: call.kernel, units: call.units)
    let id = numbers[work] ?? KernelID(kernels.count)
    if id.index == kernels.count {
      kernels.append(call.kernel)
      variants.append(call.variant)
      numbers[work] = id
    }
    descriptions.append(
      .init(
        name: call.name, kind: call.kernel.body.kind, kernel: id.index, flops: call.flops,
        productFlops: call.kernel.body.productFlops(units: call.units), bytes: call.bytes,
        origins: origins.origins(of: call.provenance)))
    return (id, descriptions.count - 1)
  }

  // MARK: The manifest's tables

  private func states(_ layout: PersistentLayout) -> [Manifest.State] {
    layout.arrays.compactMap { array in
      switch array.node.operation {
      case .parameter(_, _, let initializer, _): .init(tensor: array.tensor, role: .parameter, initializer: initializer)
      case .state(_, _, let role, let start): .init(tensor: array.tensor, role: role, initializer: .constant(start))
      default: nil
      }
    }
  }

  private func accumulators(_ layout: PersistentLayout) -> [Manifest.Tensor] {
    layout.arrays.compactMap { if case .accumulator = $0.node.operation { $0.tensor } else { nil } }
  }

  private func inputs(_ layout: PersistentLayout) -> [Manifest.Input] {
    layout.arrays.compactMap { array in
      if case .input(_, _, let binding) = array.node.operation { .init(tensor: array.tensor, binding: binding) } else { nil }
    }
  }

  private func positionTables(_ layout: PersistentLayout) -> [Manifest.PositionTable] {
    layout.arrays.compactMap { array in
      guard case .positionTable(_, let grid, let hasClassToken) = array.key else { return nil }
      return Manifest.PositionTable(tensor: array.tensor, grid: grid, hasClassToken: hasClassToken)
    }
  }

  private func constants(_ layout: PersistentLayout) -> [ConstantData] {
    layout.arrays.compactMap { array in
      guard case .positionTable(let width, let grid, let classToken) = array.key else { return nil }
      return ConstantData(
        offset: array.allocation.offset, elements: PositionTable.elements(width: width, grid: grid, classToken: classToken))
    }
  }
}

extension Graph {
  /// How many heads each layer with attention has, by the layer's path.
  fileprivate var attentionHeads: [String: Int] {
    nodes.reduce(into: [:]) { heads, node in
      switch node.operation {
      case .attention(let count), .groupAttention(let count): heads[node.scope] = count
      default: break
      }
    }
  }
}

extension PersistentLayout.Array {
  /// The array as the manifest names it.
  fileprivate var tensor: Manifest.Tensor {
    .init(
      name: node.operation.sourceName ?? "", type: node.type.element, shape: node.type.shape.dimensions,
      offset: allocation.offset)
  }
}
