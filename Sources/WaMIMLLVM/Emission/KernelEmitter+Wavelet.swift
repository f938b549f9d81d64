import WaMIMCompiler

extension KernelEmitter {
  /// Emits one level of a wavelet analysis or of its adjoint for a unit, row by row of the subbands.
  func emit(_ wavelet: WaveletKernel, unit: Value) {
    let level = WaveletLevel(emitter: self, kernel: wavelet)
    builder.loop(count: wavelet.channels) { channel, _ in
      let pictures = plane(wavelet.pictures, unit: unit, channel: channel)
      let bands = wavelet.bands.map { $0.map { plane($0, unit: unit, channel: channel) } }
      builder.loop(count: wavelet.rows) { row, _ in
        switch wavelet.direction {
        case .analysis: level.emitAnalysis(of: pictures, to: bands, row: row)
        case .adjoint:
          for parity in 0...1 { level.emitAdjoint(of: bands, to: pictures, row: row, parity: parity) }
        }
        return []
      }
      return []
    }
  }

  private func plane(_ planes: WaveletKernel.Planes, unit: Value, channel: Value) -> Plane {
    let start = builder.multiplyIntegers(unit, builder.index(kernel.arguments[planes.argument].unitStride))
    let address = builder.advance(address(planes.argument, offset: planes.offset), by: start)
    return Plane(
      start: builder.advance(address, by: builder.multiplyIntegers(channel, builder.index(planes.channelStride))),
      rowStride: planes.rowStride)
  }
}

/// The lines of a wavelet kernel's workspace.
struct WaveletLines {
  /// How many there are.
  ///
  /// An analysis keeps the low and the high row after the first pass, each as its even and its odd columns; the adjoint keeps what
  /// the low and the high filter along rows will take.
  let lineCount: Int
  /// The elements from one line to the next: the margin, the columns, what follows them periodically, and as much as vectors overlap.
  let stride: Int

  /// Elements of a line before its first column: those that the periodic continuation takes, rounded up.
  static let margin = 16

  init(_ kernel: WaveletKernel) {
    lineCount = kernel.direction == .analysis ? 4 : 2
    stride = 2 * WaveletLines.margin + (kernel.columns + 15) / 16 * 16 + 16
  }

  /// Elements in all.
  var count: Int { lineCount * stride }
}

/// Rows of one channel, whose columns are neighbours.
private struct Plane {
  var start: Address
  var rowStride: Int
}

/// What a wavelet kernel does for one row of a level's subbands: a pass down the columns into lines of the workspace, which go on
/// periodically, and a pass along those.
private struct WaveletLevel {
  let emitter: KernelEmitter
  let kernel: WaveletKernel

  private typealias Tap = WaveletKernel.Tap

  private var lines: WaveletLines { WaveletLines(kernel) }

  private var builder: IRBuilder { emitter.builder }
  private var lanes: Int { builder.lanes }

  /// Column 0 of a line of the workspace.
  private func line(_ number: Int) -> Address {
    builder.advance(emitter.workspace(kernel.workspace), by: number * lines.stride + WaveletLines.margin)
  }

  // MARK: Analysis

  /// Emits row `row` of those subbands that anybody wants.
  func emitAnalysis(of pictures: Plane, to bands: [Plane?], row: Value) {
    // The filters down the columns, low and high, that any of them needs.
    let passes = (0...1).filter { bands[$0] != nil || bands[2 + $0] != nil }
    emitVerticalAnalysis(of: pictures, row: row, passes: passes)
    emitHorizontalAnalysis(to: bands.map { $0.map { start(of: row, in: $0) } }, passes: passes)
  }

  private func emitVerticalAnalysis(of pictures: Plane, row: Value, passes: [Int]) {
    let filters = kernel.verticalFilters
    let first = builder.multiplyIntegers(row, builder.index(2))
    let rows = byOffset(filters.offsets) { self.row(first, plus: $0, among: 2 * kernel.rows, of: pictures) }
    forEachVector { column, count in
      let pixel = builder.multiplyIntegers(column, builder.index(2))
      let pixels = byOffset(filters.offsets) { rows[$0].map { loadPair(builder.advance($0, by: pixel), count: 2 * count) } }
      let sums = (0...1).map { half in filtered(pixels.compactMapValues { $0?[half] }, filters) }
      for pass in passes {
        for parity in 0...1 {
          let columns = builder.shuffle(sums[0][pass], sums[1][pass], (0..<lanes).map { 2 * $0 + parity })
          builder.store(columns, builder.advance(line(2 * pass + parity), by: column))
        }
      }
    }
  }

  private func emitHorizontalAnalysis(to rows: [Address?], passes: [Int]) {
    let filters = kernel.horizontalFilters
    let shifts = filters.offsets.map { $0 >> 1 }
    for pass in passes {
      for parity in 0...1 { continuePeriodically(2 * pass + parity, reaching: shifts) }
    }
    forEachVector { column, count in
      for pass in passes {
        let loaded = byOffset(filters.offsets) { offset in load(line(2 * pass + offset & 1), column, shift: offset >> 1) }
        for (horizontal, coefficients) in filtered(loaded, filters).enumerated() {
          guard let row = rows[2 * horizontal + pass] else { continue }
          builder.store(coefficients, builder.advance(row, by: column), count: count, lanes: lanes)
        }
      }
    }
  }

  /// What the low and the high filter make of the values at their offsets.
  ///
  /// They are taken relative to the one at offset 0, so that rounding is in proportion to how much neighbours differ, not to how
  /// bright the picture is: coarse details are small differences of numbers that double from level to level.
  private func filtered(_ values: [Int: Value], _ filters: WaveletKernel.Filters) -> [Value] {
    let origin = values[0] ?? builder.constant(0, lanes: lanes)
    let differences = byOffset(filters.offsets.filter { $0 != 0 }) { offset in values[offset].map { builder.subtract($0, origin) } }
    let sums = [filters.low, filters.high].map { taps in sum(taps.map { ($0, differences[$0.offset] ?? nil) }) }
    return [builder.multiplyAdd(origin, builder.constant(filters.gain, lanes: lanes), sums[0]), sums[1]]
  }

  // MARK: Adjoint

  /// Emits row 2 · `row` + `parity` of the picture.
  func emitAdjoint(of bands: [Plane?], to pictures: Plane, row: Value, parity: Int) {
    let filters = kernel.verticalFilters
    // The bands that are low along rows go through one line, those that are high through the other.
    for number in 0...1 {
      let terms = [filters.low, filters.high].enumerated().flatMap { vertical, taps in
        taps.filter { $0.offset & 1 == parity }.map { tap in
          (tap, bands[2 * number + vertical].map { self.row(row, plus: -(tap.offset >> 1), among: kernel.rows, of: $0) })
        }
      }
      forEachVector { column, count in
        let loaded = terms.map { tap, row in
          (tap, row.map { builder.load(builder.float, builder.advance($0, by: column), count: count, lanes: lanes) })
        }
        builder.store(sum(loaded), builder.advance(line(number), by: column))
      }
    }
    let target = builder.addIntegers(builder.multiplyIntegers(row, builder.index(2)), builder.index(parity))
    emitHorizontalAdjoint(to: start(of: target, in: pictures))
  }

  private func emitHorizontalAdjoint(to row: Address) {
    let filters = kernel.horizontalFilters
    let shifts = filters.offsets.map { -($0 >> 1) }
    for number in 0..<lines.lineCount { continuePeriodically(number, reaching: shifts) }
    forEachVector { column, count in
      let halves = (0...1).map { parity in
        sum(
          [filters.low, filters.high].enumerated().flatMap { number, taps in
            taps.filter { $0.offset & 1 == parity }.map { ($0, load(line(number), column, shift: -($0.offset >> 1))) }
          })
      }
      let pixel = builder.multiplyIntegers(column, builder.index(2))
      storePair(halves, builder.advance(row, by: pixel), count: 2 * count)
    }
  }

  // MARK: Rows and lines

  /// Column 0 of row `index` of a plane.
  private func start(of index: Value, in plane: Plane) -> Address {
    builder.advance(plane.start, by: builder.multiplyIntegers(index, builder.index(plane.rowStride)))
  }

  /// Column 0 of row `index` + `offset` of a plane, counted modulo `count`.
  private func row(_ index: Value, plus offset: Int, among count: Int, of plane: Plane) -> Address {
    let positive = offset < 0 ? count * ((-offset + count - 1) / count) + offset : offset
    return start(of: builder.remainder(builder.addIntegers(index, builder.index(positive)), builder.index(count)), in: plane)
  }

  /// What `make` emits for each of `offsets`, in their order, so that the same kernel always becomes the same code.
  private func byOffset<Result>(_ offsets: [Int], _ make: (Int) -> Result) -> [Int: Result] {
    Dictionary(uniqueKeysWithValues: offsets.map { ($0, make($0)) })
  }

  /// Runs `body` for vectors that together cover the columns of a subband; the last one overlaps the one before, or is not full.
  private func forEachVector(_ body: (_ column: Value, _ count: Int) -> Void) {
    builder.loop(count: kernel.columns / lanes, step: lanes) { column, _ in
      body(column, lanes)
      return []
    }
    guard kernel.columns % lanes > 0 else { return }
    body(builder.index(max(0, kernel.columns - lanes)), min(kernel.columns, lanes))
  }

  /// Writes what a line holds periodically before its first column and after its last one, as far as `shifts` reach.
  private func continuePeriodically(_ number: Int, reaching shifts: [Int]) {
    let (before, after) = (max(0, -(shifts.min() ?? 0)), max(0, shifts.max() ?? 0))
    let (start, columns) = (line(number), kernel.columns)
    if columns >= lanes {
      // More than is needed, but in one piece.
      let ends = [(columns - lanes, -lanes, before), (0, columns, after)]
      for (source, target, reach) in ends where reach > 0 {
        let end = builder.load(builder.float, builder.advance(start, by: source), lanes: lanes)
        builder.store(end, builder.advance(start, by: target))
      }
      return
    }
    for column in Array(-before..<0) + Array(columns..<columns + after) {
      let source = (column % columns + columns) % columns
      builder.store(builder.load(builder.float, builder.advance(start, by: source)), builder.advance(start, by: column))
    }
  }

  /// A vector of a line, `shift` columns after `column`.
  private func load(_ line: Address, _ column: Value, shift: Int) -> Value {
    builder.load(builder.float, builder.advance(builder.advance(line, by: column), by: shift), lanes: lanes)
  }

  /// The sum of values, each times the coefficient of its tap.
  private func sum(_ terms: [(tap: Tap, value: Value?)]) -> Value {
    var sum: Value?
    for case (let tap, let value?) in terms {
      let coefficient = builder.constant(tap.coefficient, lanes: lanes)
      sum = sum.map { builder.multiplyAdd(value, coefficient, $0) } ?? builder.multiply(value, coefficient)
    }
    return sum ?? builder.constant(0, lanes: lanes)
  }

  // MARK: Pairs of vectors

  /// Two vectors of neighbours, of whose elements the first `count` are there.
  private func loadPair(_ address: Address, count: Int) -> [Value] {
    [0, lanes].map { start in
      let present = min(lanes, count - start)
      guard present > 0 else { return builder.constant(0, lanes: lanes) }
      return builder.load(builder.float, builder.advance(address, by: start), count: present, lanes: lanes)
    }
  }

  /// Writes the first `count` of the elements of two vectors in turn, one from each.
  private func storePair(_ halves: [Value], _ address: Address, count: Int) {
    for start in [0, lanes] where count > start {
      let picks = (0..<lanes).map { (start + $0) / 2 + ((start + $0).isMultiple(of: 2) ? 0 : lanes) }
      let mixed = builder.shuffle(halves[0], halves[1], picks)
      builder.store(mixed, builder.advance(address, by: start), count: min(lanes, count - start), lanes: lanes)
    }
  }
}
