import CLLVM
import WaMIMCompiler
import WaMIMGraph

extension KernelEmitter {
  /// Emits sums over loops that the result does not have, a block of columns at a time, its sums in registers.
  func emit(_ columns: ColumnKernel) {
    let nest = ColumnNest(emitter: self, kernel: columns)
    switch columns.partition {
    case .outer:
      forEachUnit { unit in
        let outermost = LoopIndices(values: [unit], first: builder.addIntegers(begin, unit))
        builder.nest(columns.outer.dropFirst()) { inner, _ in
          nest.emitAll(at: outermost.nesting(inner))
          return []
        }
      }
    case .columns(let block):
      let size = builder.index(block)
      let start = builder.multiplyIntegers(begin, size)
      let end = builder.minimumInteger(builder.multiplyIntegers(end, size), builder.index(columns.width))
      builder.nest(columns.outer) { indices, _ in
        nest.emit(from: start, to: end, at: LoopIndices(values: indices))
        return []
      }
    }
  }
}

/// What a column kernel does where the loops that its result keeps stand.
private struct ColumnNest {
  let emitter: KernelEmitter
  let kernel: ColumnKernel

  private var builder: IRBuilder { emitter.builder }

  /// Vectors of columns whose sums are in registers at the same time.
  private var unrolling: Int {
    switch kernel.instructions.map(\.cost).reduce(0, +) + kernel.results.count {
    case ...12: 4
    case ...24: 2
    default: 1
    }
  }

  /// Emits all columns, whose number is known.
  func emitAll(at loops: LoopIndices) {
    let (lanes, unrolling) = (builder.lanes, unrolling)
    let vectors = kernel.width / lanes
    builder.loop(count: vectors / unrolling, step: unrolling * lanes) { column, _ in
      emitBlock(vectors: unrolling, from: column, lanes: lanes, count: lanes, at: loops)
      return []
    }
    let rest = vectors % unrolling
    emitBlock(vectors: rest, from: builder.index((vectors - rest) * lanes), lanes: lanes, count: lanes, at: loops)
    let tail = kernel.width % lanes
    guard tail > 0 else { return }
    emitBlock(vectors: 1, from: builder.index(vectors * lanes), lanes: tail == 1 ? 1 : lanes, count: tail, at: loops)
  }

  /// Emits the columns of a range that only the call knows.
  func emit(from start: Value, to end: Value, at loops: LoopIndices) {
    var start = start
    for (vectors, lanes) in [(unrolling, builder.lanes), (1, builder.lanes), (1, 1)] {
      let step = vectors * lanes
      let count = builder.subtractIntegers(end, start)
      let whole = builder.and(count, builder.index(-step))
      let stop = builder.addIntegers(start, whole)
      builder.loop(from: start, to: stop, step: step) { column, _ in
        emitBlock(vectors: vectors, from: column, lanes: lanes, count: lanes, at: loops)
        return []
      }
      start = stop
    }
  }

  /// Sums neighbouring vectors of columns over the reduced loops and writes the results.
  private func emitBlock(vectors: Int, from column: Value, lanes: Int, count: Int, at loops: LoopIndices) {
    guard vectors > 0 else { return }
    let columns = (0..<vectors).map { builder.addIntegers(column, builder.index($0 * lanes)) }
    let initial = kernel.results.flatMap { result in
      [Value](repeating: builder.neutral(result.function, lanes: lanes), count: vectors)
    }
    let sums = builder.nest(kernel.reduced, carrying: initial) { reduced, sums in
      let inside = loops.nesting(reduced)
      let expression = ExpressionEmitter(kernel.instructions, at: inside, isUniform: false, in: emitter)
      let values = expression.evaluate(columns: columns, lanes: lanes, count: count)
      return sums.enumerated().map { position, sum in
        let result = kernel.results[position / vectors]
        return builder.combine(result.function, sum, values[result.operand][position % vectors])
      }
    }
    for (position, sum) in sums.enumerated() {
      let access = kernel.results[position / vectors].access
      let address = emitter.address(access, at: loops)
      emitter.store(sum, access, to: address, column: columns[position % vectors], at: loops, lanes: lanes, count: count)
    }
  }
}
