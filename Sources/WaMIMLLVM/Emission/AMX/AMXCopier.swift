import CLLVM
import WaMIMGraph

/// A function that copies lines of a product's side, rows of the left one or columns of the right one, as blocks of bf16 splits,
/// `void (source, target, count, kBlock, stride, first, lines, runStride)`: `count` lines of `kBlock` terms.
///
/// Terms beyond the kBlock are zeros; lines beyond the last one in a block are not defined. `stride` is the elements from one line to the
/// next, or from one term to the next, whichever do not lie together. Where the source has runs of `lines` lines, `runStride` elements
/// apart, `source` is where the first of all lines is, and those are copied that come from line `first` on.
struct AMXCopier: SharedFunction {
  /// Which of the side's axes its elements lie together along.
  enum Direction: String {
    case lines, terms
  }

  /// What a register's rows are: lines, for the left side, or pairs of terms, for the right one.
  enum Rows: String {
    case lines, terms
  }

  let tiling: AMXTiling
  let rows: Rows
  let contiguous: Direction
  /// Whether lines come in runs; lines' elements lie together where they do.
  var hasRuns = false

  var name: String {
    "amx_pack_\(rows.rawValue)_from_\(contiguous.rawValue)" + tiling.suffix + (hasRuns ? "_of_runs" : "")
  }

  func parameters(in builder: IRBuilder) -> [IRType] {
    [builder.floatPointer, builder.floatPointer] + Array(repeating: builder.int64, count: 6)
  }

  func emit(_ function: Function, in builder: IRBuilder) {
    let zero = builder.index(0)
    let copy = Copy(
      copier: self, builder: builder, source: Address(base: function.parameter(0), index: zero, element: tiling.factor),
      target: Address(base: function.parameter(1), index: zero), count: function.parameter(2), kBlock: function.parameter(3),
      stride: function.parameter(4), first: function.parameter(5), linesOfRun: function.parameter(6),
      runStride: function.parameter(7))
    switch (rows, contiguous) {
    case (.lines, .terms): copy.lineByLine()
    case (.terms, .lines): copy.forEachSquare { copy.pairsOfRows($0) }
    default: copy.forEachSquare { copy.transposed($0) }
    }
  }
}

/// The body of a copier's function.
private struct Copy {
  let copier: AMXCopier
  let builder: IRBuilder
  let source: Address
  let target: Address
  let count: Value
  let kBlock: Value
  let stride: Value
  let first: Value
  let linesOfRun: Value
  let runStride: Value

  /// Lines of a register's row or column, and terms of half a block.
  private var lanes: Int { AMXRegister.columns }
  private var tiling: AMXTiling { copier.tiling }

  /// Sixteen lines and the terms of a block.
  struct Square {
    /// The first line and term.
    let line: Value
    let term: Value
    /// Whether all terms are there, and a mask of the lines that there are.
    let isWhole: Bool
    let linesThere: Value
    /// Where its first splits go.
    let target: Address
  }

  /// Runs `body` for each block of terms, and says whether all of them are there.
  private func forEachBlock(_ body: (_ block: Value, _ isWhole: Bool) -> Void) {
    let terms = builder.index(AMXTiling.blockTerms)
    let whole = builder.divideIntegers(kBlock, terms)
    builder.loop(from: builder.index(0), to: whole) { block, _ in
      body(block, true)
      return []
    }
    builder.loop(from: builder.multiplyIntegers(whole, terms), to: kBlock, step: AMXTiling.blockTerms) { _, _ in
      body(whole, false)
      return []
    }
  }

  private func product(_ value: Value, _ factor: Int) -> Value { builder.multiplyIntegers(value, builder.index(factor)) }

  /// Where line `line` of the copy begins, for its first block.
  private func address(ofLine line: Value) -> Address {
    let extent = builder.index(AMXTiling.tileExtent)
    let tile = builder.divideIntegers(line, extent)
    let within = builder.subtractIntegers(line, builder.multiplyIntegers(tile, extent))
    let blocks = builder.divideIntegers(
      builder.addIntegers(kBlock, builder.index(AMXTiling.blockTerms - 1)), builder.index(AMXTiling.blockTerms))
    let tileStride = product(blocks, tiling.blockElements)
    return builder.advance(
      builder.advance(target, by: builder.multiplyIntegers(tile, tileStride)), by: product(within, lanes))
  }

  // MARK: Lines whose terms lie together, as rows

  func lineByLine() {
    builder.loop(from: builder.index(0), to: count) { index, _ in
      let from = addressInSource(of: index)
      let to = address(ofLine: index)
      // What a line some lines later needs is asked for: the processor's own requests come late for both sides.
      let later = builder.addIntegers(index, builder.index(4))
      let (laterFrom, laterTo) = (addressInSource(of: later), address(ofLine: later))
      forEachBlock { block, isWhole in
        let term = product(block, AMXTiling.blockTerms)
        let start = product(block, tiling.blockElements)
        builder.prefetch(builder.advance(laterFrom, by: term), count: AMXTiling.blockTerms, toL1: true)
        for split in 0..<tiling.splits {
          let address = builder.advance(builder.advance(laterTo, by: start), by: split * AMXTiling.splitElements)
          builder.prefetch(address, toL1: true)
        }
        let halves = (0...1).map { terms(of: builder.advance(from, by: term), term: term, half: $0, isWhole: isWhole) }
        builder.storeSplits(halves[0], halves[1], tiling, to: builder.advance(to, by: start))
      }
      return []
    }
  }

  private func addressInSource(of index: Value) -> Address {
    guard copier.hasRuns else { return builder.advance(source, by: builder.multiplyIntegers(index, stride)) }
    let line = builder.addIntegers(first, index)
    let run = builder.multiplyIntegers(builder.divideIntegers(line, linesOfRun), runStride)
    let within = builder.multiplyIntegers(builder.remainder(line, linesOfRun), stride)
    return builder.advance(builder.advance(source, by: run), by: within)
  }

  /// The terms of half a block, the first of which is `term`, in the line that is at `address`; what is not there is 0.
  private func terms(of address: Address, term: Value, half: Int, isWhole: Bool) -> Value {
    let from = builder.advance(address, by: half * lanes)
    if isWhole { return builder.loadFactors(from) }
    let left = builder.subtractIntegers(builder.subtractIntegers(kBlock, term), builder.index(half * lanes))
    return builder.loadFactors(from, where: builder.lanes(below: left, lanes: lanes))
  }

  // MARK: Sixteen lines at a time

  /// Runs `body` for each square, along the axis that elements lie together on in the inner loop.
  func forEachSquare(_ body: (Square) -> Void) {
    func square(_ line: Value, _ block: Value, _ isWhole: Bool) {
      let left = builder.subtractIntegers(count, line)
      body(
        Square(
          line: line, term: product(block, AMXTiling.blockTerms), isWhole: isWhole,
          linesThere: builder.lanes(below: left, lanes: lanes),
          target: builder.advance(address(ofLine: line), by: product(block, tiling.blockElements))))
    }
    func forEachLine(_ body: (Value) -> Void) {
      builder.loop(from: builder.index(0), to: count, step: lanes) { line, _ in
        body(line)
        return []
      }
    }
    switch copier.contiguous {
    case .lines: forEachBlock { block, isWhole in forEachLine { square($0, block, isWhole) } }
    case .terms: forEachLine { line in forEachBlock { block, isWhole in square(line, block, isWhole) } }
    }
  }

  /// Terms whose lines lie together, as rows.
  func pairsOfRows(_ square: Square) {
    for pair in 0..<lanes {
      let (first, second) = (lines(ofTerm: pair, square), lines(ofTerm: pair + lanes, square))
      builder.storeSplits(first, second, tiling, to: builder.advance(square.target, by: pair * lanes))
    }
  }

  /// What lies one way as rows that go the other way.
  func transposed(_ square: Square) {
    let halves = (0...1).map { half in
      builder.transposed(
        (half * lanes..<(half + 1) * lanes).map {
          copier.contiguous == .lines ? lines(ofTerm: $0, square) : terms(ofLine: $0 - half * lanes, half: half, square)
        })
    }
    for row in 0..<lanes {
      builder.storeSplits(halves[0][row], halves[1][row], tiling, to: builder.advance(square.target, by: row * lanes))
    }
  }

  /// A term's element in each line, as far as there are.
  private func lines(ofTerm number: Int, _ square: Square) -> Value {
    let term = builder.addIntegers(square.term, builder.index(number))
    let from = builder.advance(source, by: builder.multiplyIntegers(term, stride))
    let none = builder.lanes(below: builder.index(0), lanes: lanes)
    let mask =
      square.isWhole
      ? square.linesThere : builder.select(builder.compareIntegers(LLVMIntSLT, term, kBlock), square.linesThere, none)
    return builder.loadFactors(builder.advance(from, by: square.line), where: mask)
  }

  /// A line's elements in half a block's terms; those of the last line where there are fewer.
  private func terms(ofLine number: Int, half: Int, _ square: Square) -> Value {
    let last = builder.subtractIntegers(count, builder.index(1))
    let line = builder.minimumInteger(builder.addIntegers(square.line, builder.index(number)), last)
    let from = builder.advance(builder.advance(source, by: builder.multiplyIntegers(line, stride)), by: square.term)
    return terms(of: from, term: square.term, half: half, isWhole: square.isWhole)
  }
}
