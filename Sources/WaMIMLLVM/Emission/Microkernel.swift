import WaMIMCompiler

/// A function that computes one tile of a product, `void (left, right, result, kBlock, ahead...)`: its sums stay in registers.
///
/// It has time to ask the memory for what will be read later, from one address `ahead` for each of its prefetches.
struct Microkernel: SharedFunction {
  /// What a tile asks for while it works, one element for each step along the kBlock: a line of the cache comes with it.
  struct Prefetch: Hashable, Sendable {
    /// Steps that make a group.
    static let steps = 8

    /// Elements from what one step of a group asks for to what the next one does.
    let stride: Int
    /// Elements from where one group begins to where the next one does.
    let advance: Int
  }

  /// A prefetch and where it begins.
  struct Request {
    let prefetch: Prefetch
    let address: Address
  }

  let rows: Int
  /// Columns of the result; those of the right side are rounded up to whole vectors.
  let columns: Int
  /// Whether both sides are pairs of bf16 numbers, 32 bits each, and not float32.
  var multipliesPairs = false
  /// The elements from one row of the left side to the next, and from one column to the next.
  let leftRow: Int
  let leftColumn: Int
  let rightRow: Int
  let resultRow: Int
  /// Whether the product is added to what the result holds.
  let accumulates: Bool
  var prefetches: [Prefetch] = []

  var name: String {
    let shape = "microkernel_\(rows)x\(columns)_\(leftRow)_\(leftColumn)_\(rightRow)_\(resultRow)\(accumulates ? "_add" : "")"
    return prefetches.reduce(shape + (multipliesPairs ? "_pairs" : "")) { "\($0)_ask_\($1.stride)_\($1.advance)" }
  }

  func parameters(in builder: IRBuilder) -> [IRType] {
    let pointer = builder.floatPointer
    return [pointer, pointer, pointer, builder.int64] + prefetches.map { _ in pointer }
  }

  func emit(_ function: Function, in builder: IRBuilder) {
    let start = builder.index(0)
    let (left, right, result) = (
      Address(base: function.parameter(0), index: start), Address(base: function.parameter(1), index: start),
      Address(base: function.parameter(2), index: start)
    )
    let lanes = builder.lanes
    let vectors = (columns + lanes - 1) / lanes
    let addresses = (0..<rows).flatMap { row in
      (0..<vectors).map { (element: row * resultRow + $0 * lanes, count: min(lanes, columns - $0 * lanes)) }
    }
    let initial = addresses.map { address in
      accumulates
        ? builder.load(builder.float, builder.advance(result, by: address.element), count: address.count, lanes: lanes)
        : builder.constant(0, lanes: lanes)
    }
    let kBlock = function.parameter(3)
    func step(at k: Value, _ sums: [Value]) -> [Value] {
      self.step(at: k, vectors: vectors, sums: sums, left: left, right: right, in: builder)
    }
    var (sums, done) = (initial, start)
    if !prefetches.isEmpty {
      let groups = builder.divideIntegers(kBlock, builder.index(Prefetch.steps))
      let ahead = prefetches.indices.map { Address(base: function.parameter(4 + $0), index: start) }
      sums = builder.loop(from: start, to: groups, carrying: sums) { group, sums in
        emitGroup(group, asking: ahead, sums: sums, in: builder, step)
      }
      done = builder.multiplyIntegers(groups, builder.index(Prefetch.steps))
    }
    sums = builder.loop(from: done, to: kBlock, carrying: sums) { k, sums in step(at: k, sums) }
    for (address, sum) in zip(addresses, sums) {
      builder.store(sum, builder.advance(result, by: address.element), count: address.count, lanes: lanes)
    }
  }

  /// A group of steps and what they ask for.
  private func emitGroup(
    _ group: Value, asking ahead: [Address], sums: [Value], in builder: IRBuilder, _ step: (Value, [Value]) -> [Value]
  ) -> [Value] {
    let first = builder.multiplyIntegers(group, builder.index(Prefetch.steps))
    return builder.loop(count: Prefetch.steps, carrying: sums) { index, sums in
      for (address, prefetch) in zip(ahead, prefetches) {
        let start = builder.advance(address, by: builder.multiplyIntegers(group, builder.index(prefetch.advance)))
        builder.prefetch(builder.advance(start, by: builder.multiplyIntegers(index, builder.index(prefetch.stride))))
      }
      return step(builder.addIntegers(first, index), sums)
    }
  }

  /// Adds the products of one column of the left tile and one row of the right panel.
  private func step(
    at k: Value, vectors: Int, sums: [Value], left: Address, right: Address, in builder: IRBuilder
  ) -> [Value] {
    let lanes = builder.lanes
    let rightRow = builder.advance(right, by: builder.multiplyIntegers(k, builder.index(self.rightRow)))
    let element = multipliesPairs ? builder.int32 : builder.float
    let factors = (0..<vectors).map { builder.load(element, builder.advance(rightRow, by: $0 * lanes), lanes: lanes) }
    let leftColumn = builder.advance(left, by: builder.multiplyIntegers(k, builder.index(self.leftColumn)))
    return (0..<rows).flatMap { row in
      let factor = builder.splat(builder.load(element, builder.advance(leftColumn, by: row * leftRow)), lanes: lanes)
      return (0..<vectors).map { vector in
        let sum = sums[row * vectors + vector]
        return multipliesPairs
          ? builder.multiplyAddPairs(factor, factors[vector], sum) : builder.multiplyAdd(factor, factors[vector], sum)
      }
    }
  }
}
