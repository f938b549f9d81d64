import WaMIMCompiler
import WaMIMGraph

extension KernelEmitter {
  /// What the first loop of a row kernel runs over.
  enum FirstLoop {
    /// The units of the call.
    case units
    /// One unit, counted from the first one of the call.
    case unit(Value)
    /// A range of indices, of arrays that do not move with the unit; the workspace holds that range alone.
    case range(from: Value, to: Value)
  }

  /// Emits the loops around a row and, inside, its stages.
  ///
  /// - Parameter columns: The first of the columns to work on and how many there are; all of them where nil.
  func emit(_ rows: RowKernel, over first: FirstLoop, columns: (start: Value, count: Int)? = nil) {
    let rows = columns == nil ? rows.normalized(lanes: builder.lanes) : rows
    func emitRows(at outermost: LoopIndices) {
      clearSums(rows, at: outermost, columns: columns ?? (builder.index(0), rows.width))
      builder.nest(rows.outer.dropFirst()) { inner, _ in
        let loops = outermost.nesting(inner)
        let ahead = columns == nil ? [] : rowsAhead(rows, at: loops)
        emitRow(rows, at: loops, columns: columns ?? (builder.index(0), rows.width), ahead: ahead)
        return []
      }
    }
    func emitRows(of unit: Value) { emitRows(at: LoopIndices(values: [unit], first: builder.addIntegers(begin, unit))) }
    switch first {
    case .units: forEachUnit { emitRows(of: $0) }
    case .unit(let unit): emitRows(of: unit)
    case .range(let start, let end):
      builder.loop(from: start, to: end) { index, _ in
        emitRows(at: LoopIndices(values: [builder.subtractIntegers(index, start)], first: index))
        return []
      }
    }
  }

  /// Makes the sums of a unit's rows 0, before the first row comes.
  private func clearSums(_ rows: RowKernel, at outermost: LoopIndices, columns: (start: Value, count: Int)) {
    let zero = builder.constant(0, lanes: builder.lanes)
    for store in rows.stages.flatMap(\.stores) where store.sumsRows {
      let address = builder.advance(self.address(store.access, at: outermost), by: columns.start)
      builder.loop(count: columns.count / builder.lanes, step: builder.lanes) { column, _ in
        builder.store(zero, builder.advance(address, by: column))
        return []
      }
      let rest = columns.count % builder.lanes
      guard rest > 0 else { continue }
      builder.store(zero, builder.advance(address, by: columns.count - rest), count: rest, lanes: builder.lanes)
    }
  }

  /// Writes what a stage stores, or adds it to what the unit's earlier rows have left.
  fileprivate func carryOut(
    _ store: Store, _ value: Value, to address: Address, column: Value, at loops: LoopIndices, lanes: Int, count: Int
  ) {
    var value = value
    if store.sumsRows {
      let sum = load(store.access, from: address, column: column, at: loops, lanes: lanes, count: count)
      value = builder.add(sum, value)
    }
    self.store(value, store.access, to: address, column: column, at: loops, lanes: lanes, count: count)
  }

  /// What will be read or written in a later row, of arrays whose rows follow each other.
  ///
  /// Pieces of rows are too short for the processor to see them coming.
  private func rowsAhead(_ rows: RowKernel, at loops: LoopIndices) -> [Address] {
    let distance = 3
    return rows.matrices.map { builder.advance(address($0.access, at: loops), by: distance * $0.rowStride) }
  }

  private func emitRow(_ rows: RowKernel, at loops: LoopIndices, columns: (start: Value, count: Int), ahead: [Address]) {
    var scalars: [Int: Value] = [:]
    for stage in rows.stages {
      let isUniform = stage.extent == .row || rows.width == 1
      let expression = ExpressionEmitter(stage.instructions, at: loops, isUniform: isUniform, scalars: scalars, in: self)
      if isUniform {
        emitOnce(stage, expression, scalars: &scalars, at: loops)
      } else {
        emitAcross(stage, expression, columns: columns, ahead: ahead, scalars: &scalars, at: loops)
      }
    }
  }

  /// Emits a stage that is evaluated once.
  private func emitOnce(_ stage: RowStage, _ expression: ExpressionEmitter, scalars: inout [Int: Value], at loops: LoopIndices) {
    for result in stage.results { scalars[result.slot] = expression.scalar(result.operand) }
    for store in stage.stores {
      guard let value = expression.scalar(store.operand) else { continue }
      let address = address(store.access, at: loops)
      carryOut(store, value, to: address, column: builder.index(0), at: loops, lanes: 1, count: 1)
    }
  }

  /// Emits a stage that is evaluated for each element of the row: runs of several vectors, what full vectors are left, and the rest.
  private func emitAcross(
    _ stage: RowStage, _ expression: ExpressionEmitter, columns: (start: Value, count: Int), ahead: [Address],
    scalars: inout [Int: Value], at loops: LoopIndices
  ) {
    let loop = RowLoop(emitter: self, stage: stage, expression: expression, loops: loops, start: columns.start, ahead: ahead)
    let sums = loop.emit(width: columns.count)
    for (result, partials) in zip(stage.results, sums) {
      let function = result.reduction ?? .sum
      scalars[result.slot] = builder.reduce(function, loop.pairwise(function, partials), lanes: builder.lanes)
    }
  }
}

/// One loop over the elements of a row.
private struct RowLoop {
  let emitter: KernelEmitter
  let stage: RowStage
  let expression: ExpressionEmitter
  let loops: LoopIndices
  /// The first column.
  let start: Value
  /// The addresses of the stores, at column 0.
  let addresses: [Address]
  /// What the memory is asked for, at column 0.
  let ahead: [Address]

  init(
    emitter: KernelEmitter, stage: RowStage, expression: ExpressionEmitter, loops: LoopIndices, start: Value, ahead: [Address]
  ) {
    self.emitter = emitter
    self.stage = stage
    self.expression = expression
    self.loops = loops
    self.start = start
    self.ahead = ahead
    addresses = stage.stores.map { emitter.address($0.access, at: loops) }
  }

  private var builder: IRBuilder { emitter.builder }

  /// Vectors evaluated together: enough that sums do not wait for each other; a long expression fills the processor by itself.
  private var unrolling: Int {
    switch expression.cost {
    case ...6: 4
    case ...16: 2
    default: 1
    }
  }

  /// Emits the loop over `width` elements from the first column on.
  ///
  /// - Returns: For each result, one vector of sums for each of the vectors evaluated together.
  func emit(width: Int) -> [[Value]] {
    let (lanes, unrolling) = (builder.lanes, unrolling)
    let vectors = width / lanes
    var sums = stage.results.flatMap { result in
      [Value](repeating: builder.neutral(result.reduction ?? .sum, lanes: lanes), count: unrolling)
    }
    sums = builder.loop(count: vectors / unrolling, step: unrolling * lanes, carrying: sums) { column, sums in
      run(vectors: unrolling, from: column, count: lanes, sums: sums)
    }
    let rest = vectors % unrolling
    sums = run(vectors: rest, from: builder.index((vectors - rest) * lanes), count: lanes, sums: sums)
    sums = runTail(from: vectors * lanes, count: width % lanes, sums: sums)
    return stride(from: 0, to: sums.count, by: unrolling).map { Array(sums[$0..<$0 + unrolling]) }
  }

  /// The elements after the last full vector.
  private func runTail(from column: Int, count: Int, sums: [Value]) -> [Value] {
    if stage.results.isEmpty && count == 1 {
      evaluate(columns: [builder.index(column)], lanes: 1, count: 1)
      return sums
    }
    return run(vectors: count > 0 ? 1 : 0, from: builder.index(column), count: count, sums: sums)
  }

  /// Evaluates neighbouring vectors, of whose lanes the first `count` are there, and adds them to the sums.
  private func run(vectors: Int, from column: Value, count: Int, sums: [Value]) -> [Value] {
    guard vectors > 0 else { return sums }
    let lanes = builder.lanes
    let columns = (0..<vectors).map { builder.addIntegers(column, builder.index($0 * lanes)) }
    let values = evaluate(columns: columns, lanes: lanes, count: count)
    var sums = sums
    for (position, result) in stage.results.enumerated() {
      let function = result.reduction ?? .sum
      for vector in 0..<vectors {
        let element = builder.padded(values[result.operand][vector], count: count, for: function, lanes: lanes)
        let sum = position * unrolling + vector
        sums[sum] = builder.combine(function, sums[sum], element)
      }
    }
    return sums
  }

  @discardableResult
  private func evaluate(columns: [Value], lanes: Int, count: Int) -> [[Value]] {
    let columns = columns.map { builder.addIntegers(start, $0) }
    for address in ahead { for column in columns { builder.prefetch(builder.advance(address, by: column)) } }
    let values = expression.evaluate(columns: columns, lanes: lanes, count: count)
    for (store, address) in zip(stage.stores, addresses) {
      for (column, value) in zip(columns, values[store.operand]) {
        emitter.carryOut(store, value, to: address, column: column, at: loops, lanes: lanes, count: count)
      }
    }
    return values
  }

  /// Combines neighbours until one vector is left.
  func pairwise(_ function: ReductionFunction, _ partials: [Value]) -> Value {
    guard partials.count > 1 else { return partials.first ?? builder.neutral(function, lanes: builder.lanes) }
    let halves = stride(from: 0, to: partials.count, by: 2).map { builder.combine(function, partials[$0], partials[$0 + 1]) }
    return pairwise(function, halves)
  }
}

extension RowKernel {
  /// Where the arrays that move by equal steps from row to row are read or written, each once, and the elements of a step.
  fileprivate var matrices: [(access: Access, rowStride: Int)] {
    var found: [Int: (Access, Int)] = [:]
    for access in stages.flatMap(\.accesses) where access.pick == nil && access.strides.last == 1 {
      if let rowStride = uniformStride(access), rowStride > 0 { found[access.argument] = (access, rowStride) }
    }
    return found.sorted { $0.key < $1.key }.map { ($0.value.0, $0.value.1) }
  }

  /// The elements from one row to the next, where all rows lie equally far apart.
  private func uniformStride(_ access: Access) -> Int? {
    let strides = Array(access.strides.dropLast())
    guard let innermost = strides.last else { return nil }
    var expected = innermost
    for (extent, stride) in zip(outer, strides).reversed() {
      guard stride == expected else { return nil }
      expected *= extent
    }
    return innermost
  }
}
