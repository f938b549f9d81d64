import WaMIMGraph
import WaMIMManifest

/// Lowers and plans the schedules of a program over one arena.
struct ProgramBuilder {
  /// A schedule to be: its name and the graph that it carries out.
  struct Part {
    var name: String
    var graph: Graph
  }

  private var kernels: [Kernel] = []
  private var numbers: [Kernel: KernelID] = [:]
  private var descriptions: [Manifest.Call] = []
  private let fuses: Bool

  init(fuses: Bool) {
    self.fuses = fuses
  }

  /// The program called `name` that carries out `parts`; `source` is the graph they come from.
  mutating func build(_ name: String, _ parts: [Part], source: Graph, text: String, compiler: String) throws -> Program {
    let parts = parts.map { Part(name: $0.name, graph: $0.graph.withSeparatedReductions()) }
    let layout = PersistentLayout(parts.map(\.graph))
    var schedules: [Schedule] = []
    var described: [Manifest.Schedule] = []
    for part in parts {
      let (schedule, outputs) = try plan(part, layout)
      schedules.append(schedule)
      described.append(
        .init(name: part.name, outputs: outputs, arenaBytes: schedule.arenaBytes, scratchBytes: schedule.scratchBytes))
    }
    let manifest = Manifest(
      model: name, compiler: compiler, processor: .init(name: "", features: []), batch: source.batch, states: states(layout),
      inputs: inputs(layout), schedules: described, calls: descriptions, training: source.training, pictures: source.pictures,
      graph: text)
    return Program(
      name: name, kernels: kernels, schedules: schedules, constants: constants(layout),
      arenaBytes: schedules.map(\.arenaBytes).max() ?? layout.byteCount, scratchBytes: schedules.map(\.scratchBytes).max() ?? 0,
      manifest: manifest)
  }

  private mutating func plan(_ part: Part, _ layout: PersistentLayout) throws -> (Schedule, [Manifest.Tensor]) {
    let graph = part.graph
    let (lowering, order) = try ordered(graph)
    let phases = Phasing(order, graph).phases
    var planner = SchedulePlanner(graph, order.calls, phases, persistent: layout.places(in: graph), start: layout.byteCount)
    let outputs = Set(graph.outputs.map { lowering.storage[$0.value].root })
    let schedule = planner.plan(name: part.name, outputs: outputs) { register($0) }
    let tensors = graph.outputs.compactMap { output -> Manifest.Tensor? in
      let view = lowering.storage[output.value]
      guard let offset = planner.arenaOffset(of: view.root) else { return nil }
      let type = graph[output.value].type
      return Manifest.Tensor(
        name: output.name, type: type.element.rawValue, shape: type.shape.dimensions,
        offset: offset + view.offset * ElementType.byteCount)
    }
    return (schedule, tensors)
  }

  /// The graph's calls in order, with states updated in place unless someone still reads their old values.
  private func ordered(_ graph: Graph) throws -> (Lowering, CallOrder) {
    for updatesInPlace in [true, false] {
      let lowering = Lowering(graph, updatesInPlace: updatesInPlace, fuses: fuses)
      let calls = try lowering.calls()
      if calls.contains(where: \.readsAfterOverwriting) { continue }
      if let order = CallOrder(calls, graph) { return (lowering, order) }
    }
    throw CompilationError("the updates of the states depend on each other in a circle")
  }

  private mutating func register(_ call: LoweredCall) -> (KernelID, Int) {
    let id = numbers[call.kernel] ?? KernelID(kernels.count)
    if id.index == kernels.count {
      kernels.append(call.kernel)
      numbers[call.kernel] = id
    }
    descriptions.append(
      .init(
        name: call.name, kind: call.kernel.body.kind, kernel: id.index, flops: call.flops,
        productFlops: call.kernel.body.productFlops(units: call.units), bytes: call.bytes))
    return (id, descriptions.count - 1)
  }

  // MARK: The manifest's tables

  private func states(_ layout: PersistentLayout) -> [Manifest.State] {
    layout.arrays.compactMap { key, node in
      let offset = layout.offsets[key] ?? 0
      switch node.operation {
      case .parameter(let name, let shape, let initializer):
        return .init(
          tensor: .init(name: name, type: ElementType.float32.rawValue, shape: shape.dimensions, offset: offset), isParameter: true,
          initializer: initializer)
      case .state(let name, let shape):
        return .init(
          tensor: .init(name: name, type: ElementType.float32.rawValue, shape: shape.dimensions, offset: offset),
          isParameter: false,
          initializer: .constant(0))
      default: return nil
      }
    }
  }

  private func inputs(_ layout: PersistentLayout) -> [Manifest.Input] {
    layout.arrays.compactMap { key, node in
      guard case .input(let name, let type, let role) = node.operation else { return nil }
      let tensor = Manifest.Tensor(
        name: name, type: type.element.rawValue, shape: type.shape.dimensions, offset: layout.offsets[key] ?? 0)
      return .init(tensor: tensor, role: role)
    }
  }

  private func constants(_ layout: PersistentLayout) -> [ConstantData] {
    layout.arrays.compactMap { key, _ in
      guard case .positionTable(let width, let grid, let classToken) = key else { return nil }
      return ConstantData(
        offset: layout.offsets[key] ?? 0, elements: PositionTable.elements(width: width, grid: grid, classToken: classToken))
    }
  }
}

extension LoweredCall {
  /// Whether a loop over a row reads a state again that an earlier one has written over.
  fileprivate var readsAfterOverwriting: Bool {
    guard !overwrites.isEmpty else { return false }
    let stages: [RowStage]
    switch kernel.body {
    case .rows(let rows): stages = rows.stages
    case .matmul(let matmul): stages = matmul.epilogue?.stages ?? []
    default: return false
    }
    return overwrites.contains { state in
      bindings.indices.contains { argument in
        guard bindings[argument] == .buffer(state),
          let written = stages.firstIndex(where: { $0.stores.contains { $0.access.argument == argument } })
        else { return false }
        return stages.suffix(from: written + 1).contains { $0.reads(argument) }
          || stages.contains { $0.readsElsewhere(argument) }
      }
    }
  }
}

extension RowStage {
  /// Whether an instruction loads another element of argument `argument` than the one that is stored there.
  fileprivate func readsElsewhere(_ argument: Int) -> Bool {
    let stored = stores.filter { $0.access.argument == argument }.map(\.access)
    return instructions.contains {
      guard case .load(let access) = $0, access.argument == argument else { return false }
      return !stored.allSatisfy { $0 == access }
    }
  }
}
