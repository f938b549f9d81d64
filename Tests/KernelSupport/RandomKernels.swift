import TestSupport
import WaMIMCompiler
import WaMIMGraph
import WaMIMLayers

/// Makes kernels with random loops, layouts and expressions, and arrays to run them on.
package struct RandomKernels {
  package var generator: SeededGenerator
  var arguments: [KernelArgument] = []
  var arrays: [[Float]] = []
  var units = 1
  /// What the sides of products are of.
  var factor = ElementType.float32
  /// What strides and offsets of bf16 sides are multiples of.
  var alignment = 1
  /// Whether arrays may be of bf16.
  package var roundsSome = true
  /// The workspace that members of a sequence share.
  private var shared: Int?

  package init(generator: SeededGenerator) { self.generator = generator }

  // MARK: Arrays

  /// Adds an argument of `count` elements a unit, or in all where it does not move with the unit.
  mutating func add(
    _ access: KernelArgument.Access, count: Int, moves: Bool, element: ElementType = .float32, below: Int? = nil
  ) -> Int {
    arguments.append(KernelArgument(element: element, access: access, unitStride: moves ? count : 0, count: count))
    let total = moves ? count * units : count
    let array =
      switch element {
      case .float32: generator.floats(total)
      case .bfloat16: generator.floats(total).map(BFloat16.rounded)
      case .int32: (0..<total).map { _ in Float(generator.int(0...(below ?? 100) - 1)) }
      }
    arrays.append(array)
    return arguments.count - 1
  }

  /// Memory for `count` elements of each unit: a new argument, or a range of the workspace that members of a sequence share.
  private mutating func memory(
    _ access: KernelArgument.Access, count: Int, element: ElementType = .float32
  ) -> (argument: Int, offset: Int) {
    guard let shared, access == .write, element == .float32, generator.chance(0.5) else {
      return (add(access, count: count, moves: true, element: element), 0)
    }
    defer { grow(shared, by: count) }
    return (shared, arguments[shared].count)
  }

  /// Makes an argument that does not move longer.
  private mutating func grow(_ argument: Int, by count: Int) {
    arguments[argument].count += count
    arrays[argument] += generator.floats(count)
  }

  /// Strides over loops of an array that holds the loops in `kept`, in any order, with a margin; the first loop is outermost.
  ///
  /// - Returns: The strides, the offset and the elements from one index of loop 0 to the next, or in all.
  private mutating func layout(_ extents: [Int], kept: [Bool]) -> (strides: [Int], offset: Int, count: Int) {
    var inner = extents.indices.dropFirst().filter { kept[$0] }
    if generator.chance(0.3) { inner.shuffle(using: &generator) }
    var strides = extents.map { _ in 0 }
    var count = 1
    for loop in inner.reversed() {
      strides[loop] = count
      count *= extents[loop]
      if generator.chance(0.15) { count += generator.int(1...3) }
    }
    let offset = generator.chance(0.3) ? generator.int(1...5) : 0
    return (strides, offset, count + offset)
  }

  /// A new array that is read, with a random subset of the loops, and perhaps a row picked by a table.
  private mutating func readAccess(_ extents: [Int], isRow: Bool, movesAlways: Bool = false) -> Access {
    var kept = extents.map { _ in generator.chance(0.75) }
    if isRow { kept[kept.count - 1] = false }
    var (strides, offset, count) = layout(extents, kept: kept)
    var pick: Access.Pick?
    if generator.chance(0.2) {
      let rows = generator.int(1...4)
      var tableKept = extents.map { _ in generator.chance(0.6) }
      tableKept[tableKept.count - 1] = false
      let table = layout(extents, kept: tableKept)
      let moves = tableKept[0]
      let argument = add(.read, count: table.count, moves: moves, element: .int32, below: rows)
      var tableStrides = table.strides
      tableStrides[0] = moves ? table.count : 0
      pick = Access.Pick(argument: argument, offset: table.offset, strides: tableStrides, stride: count)
      count *= rows
    }
    let argument = add(.read, count: count, moves: kept[0], element: anyElement())
    strides[0] = kept[0] ? count : 0
    return Access(argument: argument, offset: offset, strides: strides, pick: pick)
  }

  /// A new array with an element for each index of the loops (of all but the last, for a number of a row).
  private mutating func writeAccess(_ extents: [Int], isRow: Bool, access: KernelArgument.Access) -> Access {
    var kept = extents.map { _ in true }
    if isRow { kept[kept.count - 1] = false }
    var (strides, offset, count) = layout(extents, kept: kept)
    let (argument, start) = memory(access, count: count, element: access == .write ? anyElement() : .float32)
    strides[0] = arguments[argument].unitStride
    return Access(argument: argument, offset: start + offset, strides: strides)
  }

  /// Mostly float32.
  private mutating func anyElement() -> ElementType {
    switch generator.int(0...9) {
    case 0: .int32
    case 1, 2: roundsSome ? .bfloat16 : .float32
    default: .float32
    }
  }

  /// A new array with an element for each unit and column.
  private mutating func sumAccess(_ extents: [Int]) -> Access {
    var (strides, offset, count) = layout(extents, kept: extents.indices.map { $0 == 0 || $0 == extents.count - 1 })
    strides[0] = count
    return Access(argument: add(.write, count: count, moves: true), offset: offset, strides: strides)
  }

  // MARK: Expressions

  /// Instructions with values of moderate size, whatever they load.
  private mutating func expression(_ loads: [Access], slots: [Int], count: Int) -> [Instruction] {
    var list: [Instruction] = loads.map { .load($0) } + slots.map { .scalar(slot: $0) }
    // What differs in its last bits may be rounded to another number.
    let exact = loads.indices.filter { arguments[loads[$0].argument].access == .read }
    list.append(.constant(Float(generator.int(-8...8)) / 8))
    list.append(.constant(1))
    let one = list.count - 1
    func push(_ instruction: Instruction) -> Int {
      list.append(instruction)
      return list.count - 1
    }
    for _ in 0..<count {
      let (x, y) = (generator.int(0...list.count - 1), generator.int(0...list.count - 1))
      let bounded = push(.unary(.hyperbolicTangent, x))
      switch generator.int(0...10) {
      case 0: _ = push(.unary(.exponential, bounded))
      case 1: _ = push(.unary(.logarithm, push(.binary(.add, push(.binary(.multiply, bounded, bounded)), one))))
      case 2: _ = push(.unary(.reciprocalSquareRoot, push(.binary(.add, push(.binary(.multiply, bounded, bounded)), one))))
      case 3: _ = push(.unary(.errorFunction, x))
      case 4: _ = push(.binary(.divide, bounded, push(.binary(.add, push(.binary(.multiply, bounded, bounded)), one))))
      case 5: _ = push(.binary(.multiply, bounded, push(.unary(.negate, push(.unary(.hyperbolicTangent, y))))))
      case 6: _ = push(.unary(.squareRoot, push(.binary(.maximum, push(.unary(.exponential, bounded)), one))))
      case 7: _ = push(.binary(generator.chance(0.5) ? .maximum : .minimum, x, y))
      case 8: _ = push(.binary(.atLeast, 0, one - 1))
      case 9 where exact.contains(x): _ = push(.rounded(x))
      case 9: _ = push(.unary(generator.chance(0.5) ? .cosinePi : .sinePi, bounded))
      default: _ = push(.binary(generator.chance(0.5) ? .add : .subtract, x, y))
      }
    }
    return list
  }

  mutating func finish(_ body: KernelBody, tolerance: Float) -> KernelCase {
    defer { (arguments, arrays) = ([], []) }
    return KernelCase(kernel: Kernel(arguments: arguments, body: body), arrays: arrays, units: units, tolerance: tolerance)
  }

  // MARK: Kernels

  /// Elementwise stages, reductions and numbers of a row, in any order; later stages read what earlier ones have written.
  package mutating func rows() -> KernelCase {
    units = generator.int(1...5)
    let inner = (0..<generator.int(0...2)).map { _ in generator.int(1...4) }
    return finish(.rows(rowKernel(outer: [units] + inner, width: generator.int(1...70))), tolerance: 2e-5)
  }

  /// - Parameters:
  ///   - isElementwise: Whether no number of a row is computed, so that columns need nothing of each other.
  ///   - sumsRows: Whether rows may be summed; the first loop is over units.
  mutating func rowKernel(
    outer: [Int], width: Int, loading given: [Access] = [], isElementwise: Bool = false, sumsRows: Bool = true
  ) -> RowKernel {
    let extents = outer + [width]
    var (slots, written): ([Int], [Access]) = ([], given)
    var stages: [RowStage] = []
    for _ in 0..<generator.int(1...4) {
      let isRow = !isElementwise && generator.chance(0.25)
      var loads = (0..<generator.int(1...3)).map { _ in readAccess(extents, isRow: isRow) }
      if !isRow, let access = written.randomElement(using: &generator) { loads.append(access) }
      let updated: Access? = !isRow && generator.chance(0.3) ? writeAccess(extents, isRow: false, access: .update) : nil
      if let updated { loads.append(updated) }
      let instructions = expression(loads, slots: slots, count: generator.int(0...5))
      var stage = RowStage(extent: isRow ? .row : .elements, instructions: instructions)
      for _ in 0..<(isElementwise ? 0 : generator.int(0...2)) {
        let reduction: ReductionFunction? = isRow ? nil : (generator.chance(0.7) ? .sum : .maximum)
        stage.results.append(.init(slot: slots.count, operand: generator.int(0...instructions.count - 1), reduction: reduction))
        slots.append(slots.count)
      }
      if let updated { stage.stores.append(Store(access: updated, operand: instructions.count - 1)) }
      if stage.results.isEmpty || generator.chance(0.5) {
        let access = writeAccess(extents, isRow: isRow, access: .write)
        stage.stores.append(Store(access: access, operand: generator.int(0...instructions.count - 1)))
        if !isRow && arguments[access.argument].element == .float32 { written.append(access) }
      }
      if !isRow && sumsRows && generator.chance(0.25) {
        stage.stores.append(Store(access: sumAccess(extents), operand: instructions.count - 1, sumsRows: true))
      }
      stages.append(stage)
    }
    return RowKernel(outer: outer, width: width, stages: stages)
  }

  /// Levels of a wavelet analysis, each followed by work on the rows of its subbands; what one member leaves for later ones lies in memory
  /// or in the workspace.
  package mutating func sequence() -> KernelCase {
    units = generator.int(1...4)
    let (channels, levels) = (generator.int(1...3), generator.int(1...3))
    var (rows, columns) = (generator.int(1...3) << (levels - 1), generator.int(1...12) << (levels - 1))
    let workspace = add(.workspace, count: 0, moves: false)
    var kernel = WaveletKernel(
      direction: .analysis, wavelet: Wavelet.allCases.randomElement(using: &generator) ?? .haar, channels: channels, rows: rows,
      columns: columns, pictures: planes(channels, 2 * rows, 2 * columns, .read), bands: [], workspace: workspace)
    shared = workspace
    defer { shared = nil }
    var members: [SequenceKernel.Member] = []
    for level in 1...levels {
      (kernel.rows, kernel.columns) = (rows, columns)
      kernel.bands = (0..<4).map { band in
        generator.chance(band == 0 && level < levels ? 1 : 0.6) ? planes(channels, rows, columns, .write) : nil
      }
      members.append(.wavelet(kernel))
      if let band = kernel.bands.compactMap({ $0 }).randomElement(using: &generator) { members += workOnRows(of: band, kernel) }
      if let approximation = kernel.bands[0] { kernel.pictures = approximation }
      (rows, columns) = (rows / 2, columns / 2)
    }
    return finish(.sequence(SequenceKernel(members: members)), tolerance: 2e-5)
  }

  /// Kernels on the rows of a subband's planes, each of which reads what the one before has written.
  private mutating func workOnRows(of band: WaveletKernel.Planes, _ kernel: WaveletKernel) -> [SequenceKernel.Member] {
    let unitStride = arguments[band.argument].unitStride
    var loads = [
      Access(argument: band.argument, offset: band.offset, strides: [unitStride, band.channelStride, band.rowStride, 1])
    ]
    return (0..<generator.int(0...2)).map { _ in
      let rows = rowKernel(outer: [units, kernel.channels, kernel.rows], width: kernel.columns, loading: loads)
      loads += rows.stages.flatMap(\.stores).map(\.access)
      return .rows(rows)
    }
  }

  /// Planes of a new array, or of the workspace that members of a sequence share.
  private mutating func planes(
    _ channels: Int, _ rows: Int, _ columns: Int, _ access: KernelArgument.Access
  ) -> WaveletKernel.Planes {
    let rowStride = columns + generator.int(0...2)
    let channelStride = rows * rowStride + generator.int(0...2)
    let (argument, offset) = memory(access, count: channels * channelStride)
    return WaveletKernel.Planes(argument: argument, offset: offset, channelStride: channelStride, rowStride: rowStride)
  }

  /// Sums over some loops, partitioned by the first one or by columns.
  package mutating func columns() -> KernelCase {
    let width = generator.int(1...70)
    let reduced = (0..<generator.int(0...2)).map { _ in generator.int(1...6) }
    let block = generator.int(1...40)
    let byColumns = generator.chance(0.5)
    units = byColumns ? (width + block - 1) / block : generator.int(1...4)
    let outer = (byColumns ? [] : [units]) + (0..<generator.int(0...1)).map { _ in generator.int(1...4) }
    // Where the units are columns no array moves with them: a loop that runs once stands in for the one over units.
    let extents = (byColumns ? [1] : []) + outer + reduced + [width]
    func dropping(_ access: Access) -> Access {
      guard byColumns else { return access }
      var access = access
      access.strides.removeFirst()
      access.pick?.strides.removeFirst()
      arguments[access.argument].unitStride = 0
      if let pick = access.pick { arguments[pick.argument].unitStride = 0 }
      return access
    }
    let saved = units
    if byColumns { units = 1 }
    let loads = (0..<generator.int(1...3)).map { _ in dropping(readAccess(extents, isRow: false)) }
    let instructions = expression(loads, slots: [], count: generator.int(0...4))
    let results = (0..<generator.int(1...2)).map { _ in
      let kept = (byColumns ? [1] : []) + outer + [width]
      let access = dropping(writeAccess(kept, isRow: false, access: .write))
      return ColumnKernel.Result(
        function: generator.chance(0.7) ? .sum : .maximum, operand: generator.int(0...instructions.count - 1), access: access)
    }
    units = saved
    let kernel = ColumnKernel(
      partition: byColumns ? .columns(block: block) : .outer, outer: outer, reduced: reduced, width: width,
      instructions: instructions, results: results)
    return finish(.columns(kernel), tolerance: 2e-5)
  }
}
