/// A function that copies lines of a product's side, rows of the left one or columns of the right one, as blocks of numbers in parts,
/// `void (source, target, first, count, lines)`.
///
/// Terms beyond the depth are zeros; lines beyond the last one in a block are not defined. `lines` is the number of lines in a run
/// where the source has several, `runStride` elements apart: then `source` is where line 0 is. Elsewhere it is where line `first` is.
struct MatrixUnitCopier: SharedFunction {
  /// Which of the side's axes its elements lie together along.
  enum Direction: String {
    case lines, terms
  }

  /// What a register's rows are: lines, for the left side, or pairs of terms, for the right one.
  enum Rows: String {
    case lines, terms
  }

  let rows: Rows
  let contiguous: Direction
  /// Elements from one line to the next, or from one term to the next, whichever do not lie together.
  let stride: Int
  /// Elements from one run of lines to the next, or nil where there is one run; lines' elements lie together where there are several.
  var runStride: Int?
  let depth: Int

  var name: String {
    "matrix_pack_\(rows)_from_\(contiguous)_\(stride)_\(depth)" + (runStride.map { "_runs_\($0)" } ?? "")
  }

  func parameters(in builder: IRBuilder) -> [IRType] {
    [builder.floatPointer, builder.floatPointer, builder.int64, builder.int64, builder.int64]
  }

  func emit(_ function: Function, in builder: IRBuilder) {
    let zero = builder.index(0)
    let copy = Copy(
      copier: self, builder: builder, source: Address(base: function.parameter(0), index: zero),
      target: Address(base: function.parameter(1), index: zero), first: function.parameter(2), count: function.parameter(3),
      linesOfRun: function.parameter(4))
    switch (rows, contiguous) {
    case (.lines, .terms): copy.lineByLine()
    case (.terms, .lines): copy.forEachSquare { copy.pairsOfRows($0) }
    default: copy.forEachSquare { copy.transposed($0) }
    }
  }
}

/// The body of a copier's function.
private struct Copy {
  let copier: MatrixUnitCopier
  let builder: IRBuilder
  let source: Address
  let target: Address
  let first: Value
  let count: Value
  let linesOfRun: Value

  /// Lines of a register's row or column, and terms of half a block.
  private var lanes: Int { MatrixRegister.columns }
  private var tileStride: Int { MatrixUnitTiling.tileStride(depth: copier.depth) }

  /// Sixteen lines and the terms of a block.
  struct Square {
    /// The first line and term.
    let line: Value
    let term: Value
    /// Terms that there are, and a mask of the lines that there are.
    let terms: Int
    let linesThere: Value
    /// Where the first of its parts go.
    let target: Address
  }

  /// Runs `body` for each block of terms, with the number of terms that it has.
  private func forEachBlock(_ body: (_ block: Value, _ terms: Int) -> Void) {
    let whole = copier.depth / MatrixUnitTiling.blockTerms
    builder.loop(count: whole) { block, _ in
      body(block, MatrixUnitTiling.blockTerms)
      return []
    }
    let rest = copier.depth % MatrixUnitTiling.blockTerms
    if rest > 0 { body(builder.index(whole), rest) }
  }

  private func product(_ value: Value, _ factor: Int) -> Value { builder.multiplyIntegers(value, builder.index(factor)) }

  /// Where line `line` of the copy begins, for its first block.
  private func place(ofLine line: Value) -> Address {
    let extent = builder.index(MatrixUnitTiling.tileExtent)
    let tile = builder.divideIntegers(line, extent)
    let within = builder.subtractIntegers(line, builder.multiplyIntegers(tile, extent))
    return builder.advance(builder.advance(target, by: product(tile, tileStride)), by: product(within, lanes))
  }

  private func store(_ first: Value, _ second: Value, to place: Address) {
    for (part, pairs) in builder.pairedParts(first, second, lanes: lanes).enumerated() {
      builder.store(pairs, builder.advance(place, by: part * MatrixUnitTiling.partElements))
    }
  }

  // MARK: Lines whose terms lie together, as rows

  func lineByLine() {
    builder.loop(from: builder.index(0), to: count) { index, _ in
      let from = placeInSource(of: index)
      let to = place(ofLine: index)
      forEachBlock { block, terms in
        let from = builder.advance(from, by: product(block, MatrixUnitTiling.blockTerms))
        let halves = [0, lanes].map { start in
          builder.load(
            builder.float, builder.advance(from, by: start), count: max(0, min(lanes, terms - start)), lanes: lanes)
        }
        store(halves[0], halves[1], to: builder.advance(to, by: product(block, MatrixUnitTiling.blockElements)))
      }
      return []
    }
  }

  private func placeInSource(of index: Value) -> Address {
    guard let runStride = copier.runStride else { return builder.advance(source, by: product(index, copier.stride)) }
    let line = builder.addIntegers(first, index)
    let (run, within) = (builder.divideIntegers(line, linesOfRun), builder.remainder(line, linesOfRun))
    return builder.advance(builder.advance(source, by: product(run, runStride)), by: product(within, copier.stride))
  }

  // MARK: Sixteen lines at a time

  /// Runs `body` for each square, along the axis that elements lie together on in the inner loop.
  func forEachSquare(_ body: (Square) -> Void) {
    func square(_ line: Value, _ block: Value, _ terms: Int) {
      let left = builder.subtractIntegers(count, line)
      body(
        Square(
          line: line, term: product(block, MatrixUnitTiling.blockTerms), terms: terms,
          linesThere: builder.lanes(below: left, lanes: lanes),
          target: builder.advance(place(ofLine: line), by: product(block, MatrixUnitTiling.blockElements))))
    }
    func forEachLine(_ body: (Value) -> Void) {
      builder.loop(from: builder.index(0), to: count, step: lanes) { line, _ in
        body(line)
        return []
      }
    }
    switch copier.contiguous {
    case .lines: forEachBlock { block, terms in forEachLine { square($0, block, terms) } }
    case .terms: forEachLine { line in forEachBlock { block, terms in square(line, block, terms) } }
    }
  }

  /// Terms whose lines lie together, as rows.
  func pairsOfRows(_ square: Square) {
    for pair in 0..<lanes {
      let (first, second) = (lines(ofTerm: pair, square), lines(ofTerm: pair + lanes, square))
      store(first, second, to: builder.advance(square.target, by: pair * lanes))
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
      store(halves[0][row], halves[1][row], to: builder.advance(square.target, by: row * lanes))
    }
  }

  /// A term's element in each line, as far as there are.
  private func lines(ofTerm term: Int, _ square: Square) -> Value {
    guard term < square.terms else { return builder.constant(0, lanes: lanes) }
    let from = builder.advance(source, by: product(builder.addIntegers(square.term, builder.index(term)), copier.stride))
    return builder.load(builder.advance(from, by: square.line), where: square.linesThere, lanes: lanes)
  }

  /// A line's elements in half a block's terms; those of the last line where there are fewer.
  private func terms(ofLine line: Int, half: Int, _ square: Square) -> Value {
    let last = builder.subtractIntegers(count, builder.index(1))
    let line = builder.minimumInteger(builder.addIntegers(square.line, builder.index(line)), last)
    let from = builder.advance(builder.advance(source, by: product(line, copier.stride)), by: square.term)
    let terms = max(0, min(lanes, square.terms - half * lanes))
    return builder.load(builder.float, builder.advance(from, by: half * lanes), count: terms, lanes: lanes)
  }
}
