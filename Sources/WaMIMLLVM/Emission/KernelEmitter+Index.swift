import CLLVM
import WaMIMCompiler

extension KernelEmitter {
  /// Emits work on tables of indices.
  func emit(_ index: IndexKernel) {
    switch index {
    case .rank(let rows, let width):
      forEachRow(rows: rows, width: width) { emitRank(width: width, at: $0) }
    case .invertPermutation(let rows, let width):
      forEachRow(rows: rows, width: width) { emitInverse(width: width, at: $0) }
    case .finerIndices(let count, let grid, let side, let sourceOffset):
      forEachUnit { unit in
        emitFinerIndices(
          count: count, grid: grid, side: side, source: address(0, offset: sourceOffset, unit: unit), result: address(1, unit: unit)
        )
      }
    case .windowGroups(let count, let cut, let sourceOffset, let workspace):
      forEachUnit { unit in
        emitWindowGroups(
          count: count, cut, source: address(0, offset: sourceOffset, unit: unit), result: address(1, unit: unit),
          workspace: self.workspace(workspace))
      }
    case .scatterAdd(let scatter):
      forEachUnit { unit in
        emitScatter(
          scatter, source: address(0, offset: scatter.sourceOffset, unit: unit), table: address(1, unit: unit),
          result: address(2, unit: unit))
      }
    }
  }

  /// Element `offset` of a unit's part of an argument.
  func address(_ argument: Int, offset: Int = 0, unit: Value) -> Address {
    let stride = builder.index(kernel.arguments[argument].unitStride)
    return builder.advance(address(argument, offset: offset), by: builder.multiplyIntegers(unit, stride))
  }

  /// Runs `body` with the addresses of each row in the two arguments.
  private func forEachRow(rows: Int, width: Int, _ body: ([Address]) -> Void) {
    forEachUnit { unit in
      builder.loop(count: rows) { row, _ in
        let offset = builder.multiplyIntegers(row, builder.index(width))
        body([0, 1].map { builder.advance(address($0, unit: unit), by: offset) })
        return []
      }
    }
  }

  /// Emits the ranks of a row's numbers: how many numbers stand before each in ascending order.
  ///
  /// Numbers are compared as integers in the same order, so that the ranks are a permutation whatever the bits are.
  private func emitRank(width: Int, at rows: [Address]) {
    let (numbers, ranks) = (rows[0], rows[1])
    builder.loop(count: width) { i, _ in
      let key = sortingKey(builder.load(builder.int32, builder.advance(numbers, by: i)), lanes: 1)
      var counts = countBefore(key, in: numbers, from: builder.index(0), to: i, equalCounts: true)
      let after = builder.addIntegers(i, builder.index(1))
      counts = builder.addIntegers(counts, countBefore(key, in: numbers, from: after, to: builder.index(width), equalCounts: false))
      builder.store(counts, builder.advance(ranks, by: i))
      return []
    }
  }

  /// How many of the numbers in a range are less than `key`, or equal to it where those count.
  private func countBefore(_ key: Value, in numbers: Address, from start: Value, to end: Value, equalCounts: Bool) -> Value {
    let predicate = equalCounts ? LLVMIntSLE : LLVMIntSLT
    func count(lanes: Int, from start: Value, to end: Value) -> Value {
      let key = builder.splat(key, lanes: lanes)
      let zero = builder.integer(0, lanes: lanes)
      let counts = builder.loop(from: start, to: end, step: lanes, carrying: [zero]) { j, counts in
        let bits = builder.load(builder.int32, builder.advance(numbers, by: j), lanes: lanes)
        let isBefore = builder.compareIntegers(predicate, sortingKey(bits, lanes: lanes), key)
        return [builder.subtractIntegers(counts[0], builder.mask(isBefore, lanes: lanes))]
      }
      return counts[0]
    }
    let lanes = builder.lanes
    let whole = builder.and(builder.subtractIntegers(end, start), builder.index(-lanes))
    let middle = builder.addIntegers(start, whole)
    let vectors = count(lanes: lanes, from: start, to: middle)
    let rest = count(lanes: 1, from: middle, to: end)
    return (0..<lanes).reduce(rest) { builder.addIntegers($0, builder.extract(vectors, lane: $1)) }
  }

  /// Integers in the order of the numbers with these bits, both zeros equal.
  private func sortingKey(_ bits: Value, lanes: Int) -> Value {
    let zero = builder.integer(0, lanes: lanes)
    let isNegative = builder.compareIntegers(LLVMIntSLT, bits, zero)
    let mirrored = builder.subtractIntegers(builder.integer(Int32.min, lanes: lanes), bits)
    return builder.select(isNegative, mirrored, bits)
  }

  private func emitInverse(width: Int, at rows: [Address]) {
    builder.loop(count: width) { i, _ in
      let rank = builder.index(fromInt32: builder.load(builder.int32, builder.advance(rows[0], by: i)))
      builder.store(builder.int32(fromIndex: i), builder.advance(rows[1], by: rank))
      return []
    }
  }

  private func emitScatter(_ scatter: ScatterKernel, source: Address, table: Address, result: Address) {
    forEachRun(of: scatter.rows * scatter.width) { element, run in
      builder.store(builder.constant(0, lanes: run.lanes), builder.advance(result, by: element), count: run.count, lanes: run.lanes)
    }
    builder.loop(count: scatter.samples) { sample, _ in
      let source = builder.advance(source, by: builder.multiplyIntegers(sample, builder.index(scatter.sampleStride)))
      let table = builder.advance(table, by: builder.multiplyIntegers(sample, builder.index(scatter.count)))
      builder.loop(count: scatter.count) { i, _ in
        let row = builder.index(fromInt32: builder.load(builder.int32, builder.advance(table, by: i)))
        let from = builder.advance(source, by: builder.multiplyIntegers(i, builder.index(scatter.rowStride)))
        let to = builder.advance(result, by: builder.multiplyIntegers(row, builder.index(scatter.width)))
        forEachRun(of: scatter.width) { element, run in
          let (from, to) = (builder.advance(from, by: element), builder.advance(to, by: element))
          let terms = [to, from].map { builder.loadNumbers($0, count: run.count, lanes: run.lanes) }
          builder.store(builder.add(terms[0], terms[1]), to, count: run.count, lanes: run.lanes)
        }
        return []
      }
      return []
    }
  }

  /// Runs `body` for vectors of `count` neighbouring elements; the last one may have fewer elements than lanes.
  func forEachRun(of count: Int, _ body: (_ element: Value, _ run: (lanes: Int, count: Int)) -> Void) {
    let lanes = builder.lanes
    builder.loop(count: count / lanes, step: lanes) { element, _ in
      body(element, (lanes, lanes))
      return []
    }
    let tail = count % lanes
    guard tail > 0 else { return }
    body(builder.index(count - tail), tail == 1 ? (1, 1) : (lanes, tail))
  }
}
