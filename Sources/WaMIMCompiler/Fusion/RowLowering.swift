import WaMIMGraph

/// Writes the row kernel that computes the members of a cluster.
///
/// A member's *level* says in which loop over the row it can be evaluated: after how many rounds of reductions. What an earlier
/// loop has computed is computed again where it is needed, or read back if it was stored; what costs much is kept for that in the
/// workspace, of which each such member takes a row.
struct RowLowering {
  let graph: Graph
  let storage: Storage
  let clustering: Clustering
  /// The members that are kept in memory.
  let stored: Set<ValueID>
  let members: Set<ValueID>
  /// The matmul whose result the kernel reads, if it is an epilogue.
  let head: ValueID?
  let domain: Domain
  var arguments: ArgumentList
  private(set) var reads: Set<ValueID> = []
  private var levels: [ValueID: Int] = [:]
  private var slots: [ValueID: Int] = [:]
  /// The members whose elements cost much to compute.
  private var expensive: Set<ValueID> = []
  /// Where the elements of members are kept for later loops over the same row.
  private var kept: [ValueID: Access] = [:]
  /// While stages are only written to find them: members that had better be kept.
  private var wanted: [ValueID]?

  init(
    _ cluster: Cluster, _ domain: Domain, graph: Graph, storage: Storage, clustering: Clustering, stored: Set<ValueID>,
    arguments: ArgumentList
  ) {
    self.graph = graph
    self.storage = storage
    self.clustering = clustering
    self.stored = stored
    self.domain = domain
    head = cluster.head
    members = Set(cluster.members).subtracting(cluster.head.map { [$0] } ?? [])
    self.arguments = arguments
  }

  private var width: Int { domain.width ?? 1 }

  /// The kernel of `ordered`, the members in the graph's order.
  mutating func lower(_ ordered: [ValueID]) -> RowKernel {
    for member in ordered where members.contains(member) {
      levels[member] = level(of: member)
      if isExpensive(member) { expensive.insert(member) }
    }
    keepRows(ordered)
    let stages = stages(ordered)
    return RowKernel(outer: domain.outer, width: width, stages: stages.filter { !$0.results.isEmpty || !$0.stores.isEmpty })
  }

  /// Keeps in memory what would otherwise be computed again although it costs much.
  private mutating func keepRows(_ ordered: [ValueID]) {
    var dear: [ValueID] = []
    // What is kept is computed in a loop of its own level, which may need more to be kept.
    while true {
      var trial = self
      trial.kept = Dictionary(uniqueKeysWithValues: dear.map { ($0, Access(argument: 0, offset: 0, strides: [])) })
      trial.wanted = []
      _ = trial.stages(ordered)
      guard let wanted = trial.wanted, !wanted.isEmpty else { break }
      dear += wanted
    }
    guard !dear.isEmpty else { return }
    let rows = arguments.growWorkspace(by: dear.count * width)
    for (index, member) in dear.enumerated() {
      kept[member] = Access(
        argument: rows.argument, offset: rows.offset + index * width, strides: domain.outer.map { _ in 0 } + [1])
    }
  }

  private mutating func stages(_ ordered: [ValueID]) -> [RowStage] {
    let numbers = ordered.filter { members.contains($0) && isNumber($0) }
    let deepest = levels.values.max() ?? 0
    var stages: [RowStage] = []
    for level in min(-1, levels.values.min() ?? 0)...max(deepest, 0) {
      if level >= 0 { stages.append(elementStage(level, ordered)) }
      stages.append(rowStage(level, numbers.filter { levels[$0] == level }))
    }
    return stages
  }

  // MARK: Levels

  /// Whether a member is one number for each row.
  private func isNumber(_ value: ValueID) -> Bool {
    let shape = graph[value].type.shape
    return shape.rank == 0 || shape[-1] == 1 && rowShape(value) == shape
  }

  /// The shape whose rows computing `value` runs over.
  private func rowShape(_ value: ValueID) -> Shape {
    let node = graph[value]
    if case .reshape = node.operation, let operand = node.operands.first { return graph[operand].type.shape }
    return node.type.shape
  }

  private func level(of value: ValueID) -> Int {
    let node = graph[value]
    var level = isNumber(value) ? -1 : 0
    for operand in node.operands {
      let base = clustering.base(operand)
      guard let operandLevel = levels[base] else { continue }
      if isRowReduction(value) || isNumber(value) || !isNumber(base) {
        level = max(level, operandLevel)
      } else {
        level = max(level, operandLevel + 1)
      }
    }
    if isRowReduction(value), !readsNumbers(value) { level = max(level, 0) }
    return level
  }

  /// Whether a member combines the elements of each row.
  private func isRowReduction(_ value: ValueID) -> Bool { graph[value].operation.isReduction && !graph.isSumWithinUnits(value) }

  /// Whether a reduction's operand is a number for each row already.
  private func readsNumbers(_ reduction: ValueID) -> Bool {
    graph[reduction].operands.allSatisfy { operand in
      let shape = graph[operand].type.shape
      return shape.rank == 0 || shape[-1] == 1
    }
  }

  /// Whether computing an element of a member once more, from what is there before the loop of its level, takes longer than keeping it.
  private func isExpensive(_ value: ValueID) -> Bool {
    if isNumber(value) { return false }
    if graph[value].operation.isExpensive { return true }
    return graph[value].operands.map(clustering.base).contains { base in
      levels[base] == levels[value] && !stored.contains(base) && expensive.contains(base)
    }
  }

  // MARK: Stages

  private mutating func elementStage(_ level: Int, _ ordered: [ValueID]) -> RowStage {
    var stage = StageWriter(extent: .elements, level: level)
    for member in ordered where levels[member] == level {
      if let row = kept[member] {
        let instruction = computed(member, &stage)
        stage.stage.stores.append(Store(access: row, operand: instruction))
      } else if graph.isSumWithinUnits(member) {
        // Whoever reads the sum of a single row in the same kernel takes the row.
        guard stored.contains(member), let operand = graph[member].operands.first else { continue }
        let instruction = element(operand, &stage)
        stage.stage.stores.append(Store(access: storeAccess(member), operand: instruction, sumsRows: true))
      } else if case .reduce(let function, _) = graph[member].operation, !readsNumbers(member),
        let operand = graph[member].operands.first
      {
        let instruction = element(operand, &stage)
        stage.stage.results.append(.init(slot: slot(member), operand: instruction, reduction: function))
      } else if !isNumber(member), stored.contains(member) {
        let instruction = computed(member, &stage)
        stage.stage.stores.append(Store(access: storeAccess(member), operand: instruction))
      }
    }
    return stage.stage
  }

  private mutating func rowStage(_ level: Int, _ numbers: [ValueID]) -> RowStage {
    var stage = StageWriter(extent: .row, level: level)
    for number in numbers {
      let isReduced = isRowReduction(number) && !readsNumbers(number)
      let instruction = isReduced ? stage.add(.scalar(slot: slot(number))) : computed(number, &stage)
      if !isReduced { stage.stage.results.append(.init(slot: slot(number), operand: instruction, reduction: nil)) }
      if stored.contains(number) { stage.stage.stores.append(Store(access: storeAccess(number), operand: instruction)) }
    }
    return stage.stage
  }

  private mutating func slot(_ value: ValueID) -> Int {
    if let slot = slots[value] { return slot }
    slots[value] = slots.count
    return slots.count - 1
  }

  // MARK: Expressions

  /// The instruction that gives an element of `operand`, as a member reads it.
  private mutating func element(_ operand: ValueID, _ stage: inout StageWriter) -> Int {
    let base = clustering.base(operand)
    if base == head { return load(operand, &stage) }
    if let constant = splat(operand) { return stage.add(.constant(constant)) }
    guard members.contains(base), let level = levels[base] else {
      reads.insert(base)
      return load(operand, &stage)
    }
    if isNumber(base) { return rounded(stage.values[base] ?? stage.add(.scalar(slot: slot(base))), as: base, &stage) }
    if level < stage.level {
      if stored.contains(base) { return load(base, &stage) }
      if let row = kept[base] { return rounded(stage.add(.load(row)), as: base, &stage) }
      if let wanted, expensive.contains(base) {
        if !wanted.contains(base) { self.wanted?.append(base) }
        return stage.add(.constant(.nan))
      }
    }
    return rounded(computed(base, &stage), as: base, &stage)
  }

  /// What a member is that `instruction` computes, as others read it: rounded as it is stored.
  private func rounded(_ instruction: Int, as member: ValueID, _ stage: inout StageWriter) -> Int {
    graph[member].type.element == .bfloat16 ? stage.add(.rounded(instruction)) : instruction
  }

  /// The instruction that computes a member from its operands.
  private mutating func computed(_ value: ValueID, _ stage: inout StageWriter) -> Int {
    if let known = stage.values[value] { return known }
    let node = graph[value]
    let readsWhole = node.operation == .gather || node.operation.isMovement
    let operands = readsWhole ? [] : node.operands.map { element($0, &stage) }
    let instruction: Int
    switch node.operation {
    case .broadcast, .reshape, .transpose, .slice, .detach: instruction = moved(value, &stage)
    case .unary(let function): instruction = stage.add(.unary(function, operands[0]))
    case .binary(let function): instruction = stage.add(.binary(function, operands[0], operands[1]))
    case .gather: instruction = gathered(node, &stage)
    default: instruction = operands.first ?? stage.add(.constant(0))
    }
    stage.values[value] = instruction
    return instruction
  }

  /// The instruction that loads an element of a movement's result from where it lies.
  private mutating func moved(_ value: ValueID, _ stage: inout StageWriter) -> Int {
    let node = graph[value]
    guard let operand = node.operands.first else { return stage.add(.constant(0)) }
    if let constant = splat(operand) { return stage.add(.constant(constant)) }
    reads.insert(clustering.base(operand))
    // A reshape that no view can express runs over the rows of its operand.
    if case .reshape = node.operation { return load(storage[operand], &stage) }
    return load(storage.movedView(graph, value) ?? storage[operand], &stage)
  }

  private mutating func load(_ operand: ValueID, _ stage: inout StageWriter) -> Int {
    load(storage[operand], &stage)
  }

  private mutating func load(_ view: View, _ stage: inout StageWriter) -> Int {
    let strides = view.loopStrides
    let argument = arguments.number(of: view.root, unitStride: strides[0], .read)
    return stage.add(.load(Access(argument: argument, offset: view.offset, strides: strides)))
  }

  private mutating func gathered(_ node: Node, _ stage: inout StageWriter) -> Int {
    let (rows, indices) = (storage[node.operands[0]], storage[node.operands[1]])
    reads.formUnion(node.operands.map(clustering.base))
    let source = arguments.number(of: rows.root, unitStride: rows.strides[0], .read)
    let table = arguments.number(of: indices.root, unitStride: indices.strides[0], .read)
    let inner = node.type.shape[-1] == 1 ? 0 : rows.strides[2]
    let pick = Access.Pick(
      argument: table, offset: indices.offset, strides: [indices.strides[0], indices.strides[1], 0], stride: rows.strides[1])
    return stage.add(.load(Access(argument: source, offset: rows.offset, strides: [rows.strides[0], 0, inner], pick: pick)))
  }

  /// Where a member is stored; a sum of a unit's rows has an extent of 1 along them, so its element does not move from row to row.
  private mutating func storeAccess(_ value: ValueID) -> Access {
    var view = storage[value]
    // A reshape is carried out over the rows of its operand; its result is contiguous, so those rows are too.
    if rowShape(value) != view.shape { view = view.reshaped(rowShape(value)) ?? view }
    let strides = view.loopStrides
    let argument = arguments.number(of: view.root, unitStride: strides[0], .write)
    return Access(argument: argument, offset: view.offset, strides: strides)
  }

  /// The number that all elements of `operand` are, where it is a constant.
  private func splat(_ operand: ValueID) -> Float? {
    if case .constant(let value, _) = graph[clustering.base(operand)].operation { value } else { nil }
  }
}

/// A stage while it is being written: equal instructions are added once.
struct StageWriter {
  var stage: RowStage
  let level: Int
  /// The instructions that members have been computed by.
  var values: [ValueID: Int] = [:]
  private var known: [Instruction: Int] = [:]

  init(extent: RowStage.Extent, level: Int) {
    stage = RowStage(extent: extent)
    self.level = level
  }

  mutating func add(_ instruction: Instruction) -> Int {
    if let index = known[instruction] { return index }
    stage.instructions.append(instruction)
    known[instruction] = stage.instructions.count - 1
    return stage.instructions.count - 1
  }
}
