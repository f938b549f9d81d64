import WaMIMGraph

/// Writes the column kernel of a reduction over other axes than the last.
struct ColumnLowering {
  let graph: Graph
  let storage: Storage
  let clustering: Clustering
  let inlined: Set<ValueID>
  let reduction: ValueID
  private var arguments: ArgumentList
  private var reads: Set<ValueID> = []
  private var instructions: [Instruction] = []
  private var known: [ValueID: Int] = [:]
  /// The axes of the operand in the order of the loops: kept ones, combined ones, the column.
  private let kept: [Int]
  private let combined: [Int]
  private let shape: Shape
  private let operand: ValueID

  init?(_ reduction: ValueID, graph: Graph, storage: Storage, clustering: Clustering, inlined: Set<ValueID>) {
    guard case .reduce(_, let axes) = graph[reduction].operation, let operand = graph[reduction].operands.first else { return nil }
    self.graph = graph
    self.storage = storage
    self.clustering = clustering
    self.inlined = inlined
    self.reduction = reduction
    self.operand = operand
    let shape = graph[operand].type.shape
    self.shape = shape
    combined = axes
    kept = (0..<shape.rank - 1).filter { !axes.contains($0) && shape[$0] > 1 }
    // Where the result has no other axis to cut than its columns, the backend says how they are cut.
    let units = kept.first.map { shape[$0] } ?? 1
    arguments = ArgumentList(graph, units: units)
  }

  mutating func lower() -> LoweredCall? {
    guard case .reduce(let function, _) = graph[reduction].operation else { return nil }
    let value = element(operand)
    let view = storage[reduction]
    let strides = kept.map { view.strides[$0] } + [shape[-1] == 1 ? 0 : view.strides[shape.rank - 1]]
    let result = arguments.number(of: view.root, unitStride: kept.isEmpty ? 0 : strides[0], .write)
    let kernel = ColumnKernel(
      partition: kept.isEmpty ? .columns(block: shape[-1]) : .outer,
      outer: kept.map { shape[$0] }, reduced: combined.map { shape[$0] }, width: shape[-1], instructions: instructions,
      results: [.init(function: function, operand: value, access: Access(argument: result, offset: view.offset, strides: strides))])
    return LoweredCall(
      kernel: Kernel(arguments: arguments.arguments, body: .columns(kernel)), bindings: arguments.bindings, units: arguments.units,
      reads: reads, writes: [reduction], name: graph.callName(reduction), flops: shape.count * max(1, instructions.count),
      order: reduction.index, region: graph[reduction].region)
  }

  private mutating func element(_ operand: ValueID) -> Int {
    let base = clustering.base(operand)
    if let index = known[operand] { return index }
    let instruction: Instruction
    if case .constant(let value, _) = graph[base].operation {
      instruction = .constant(value)
    } else if inlined.contains(base), graph[base].type.shape == graph[operand].type.shape {
      let operands = graph[base].operands.map { element($0) }
      switch graph[base].operation {
      case .unary(let function): instruction = .unary(function, operands[0])
      case .binary(let function): instruction = .binary(function, operands[0], operands[1])
      case .convert(to: .bfloat16): instruction = .rounded(operands[0])
      default: return operands[0]
      }
    } else {
      reads.insert(base)
      let view = storage[operand]
      let strides = (kept + combined + [shape.rank - 1]).map { view.shape[$0] == 1 ? 0 : view.strides[$0] }
      let argument = arguments.number(of: view.root, unitStride: kept.isEmpty ? 0 : strides[0], .read)
      instruction = .load(Access(argument: argument, offset: view.offset, strides: strides))
    }
    instructions.append(instruction)
    known[operand] = instructions.count - 1
    return instructions.count - 1
  }
}
