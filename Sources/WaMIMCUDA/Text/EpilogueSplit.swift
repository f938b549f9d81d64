import WaMIMCompiler

/// An epilogue in two: what is done to each element alone, while the product is in registers, and what has to see whole rows.
///
/// The second part reads again what the first has stored, such as the residual stream whose rows are normalised, so that the product
/// itself never goes to memory.
struct EpilogueSplit {
  var elements: RowKernel
  var rows: RowKernel

  /// The parts of `epilogue`, which follows `matmul`, or nil where its rows need more than what its first loop stores.
  init?(_ epilogue: RowKernel, of matmul: MatmulKernel, in kernel: Kernel) {
    guard let first = epilogue.stages.first, first.extent == .elements, epilogue.stages.count > 1 else { return nil }
    func keepsBits(_ store: Store) -> Bool {
      !store.sumsRows && store.access.pick == nil && kernel.arguments[store.access.argument].element == .float32
        && kernel.arguments[store.access.argument].access != .workspace
    }
    guard first.stores.count == 1, let store = first.stores.first, keepsBits(store) else { return nil }
    let rest = RowStage(extent: .elements, instructions: first.instructions, results: first.results)
      .replacing(store.operand, by: store.access)
    guard rest.loads.allSatisfy({ $0 == store.access }) else { return nil }
    let later = Array(epilogue.stages.dropFirst())
    // Nobody reads the product but the first loop, unless what was stored lies in its place.
    guard
      store.access.argument == matmul.result.argument
        || !later.flatMap(\.loads).contains(where: { $0.argument == matmul.result.argument })
    else { return nil }
    elements = RowKernel(
      outer: epilogue.outer, width: epilogue.width,
      stages: [RowStage(extent: .elements, instructions: first.instructions, stores: first.stores)])
    rows = RowKernel(outer: epilogue.outer, width: epilogue.width, stages: (rest.results.isEmpty ? [] : [rest]) + later)
  }
}

extension RowStage {
  /// The stage with instruction `operand` loading `access`, and without instructions that nothing needs any more.
  fileprivate func replacing(_ operand: Int, by access: Access) -> RowStage {
    var stage = self
    stage.instructions[operand] = .load(access)
    var needed = Set(results.map(\.operand))
    for index in stage.instructions.indices.reversed() where needed.contains(index) {
      needed.formUnion(stage.instructions[index].operands)
    }
    let kept = stage.instructions.indices.filter(needed.contains)
    let numbers = Dictionary(uniqueKeysWithValues: zip(kept, kept.indices))
    stage.instructions = kept.map { stage.instructions[$0].mappingOperands { numbers[$0] ?? 0 } }
    for index in stage.results.indices { stage.results[index].operand = numbers[stage.results[index].operand] ?? 0 }
    return stage
  }
}

extension Instruction {
  /// The numbers of the instructions whose results this one takes.
  fileprivate var operands: [Int] {
    switch self {
    case .load, .constant, .scalar: []
    case .unary(_, let x), .rounded(let x): [x]
    case .binary(_, let x, let y): [x, y]
    }
  }

  fileprivate func mappingOperands(_ transform: (Int) -> Int) -> Instruction {
    switch self {
    case .load, .constant, .scalar: self
    case .unary(let function, let x): .unary(function, transform(x))
    case .rounded(let x): .rounded(transform(x))
    case .binary(let function, let x, let y): .binary(function, transform(x), transform(y))
    }
  }
}
