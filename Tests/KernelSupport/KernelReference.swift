import Foundation
import WaMIMCompiler
import WaMIMGraph
import WaMIMLayers

/// Evaluates kernels on whole arrays in the plainest way, to compare compiled ones with.
///
/// Elementwise arithmetic is in float32, element for element as the kernels do it; sums are in double precision.
package struct KernelReference {
  package let kernel: Kernel
  /// The arguments' arrays; integers are held as numbers.
  package var arrays: [[Float]]
  /// The row that the workspace's first row holds.
  private var firstRow = 0
  /// What sums over rows have come to, by where they are stored.
  private var rowSums: [Place: Double] = [:]
  /// The largest magnitude that has come up, which the rounding of results is relative to.
  package var scale: Float = 1
  /// The largest sum of magnitudes that an argument gets a sum of, by argument; rounding is relative to it where terms cancel.
  package private(set) var termMagnitudes: [Int: Float] = [:]

  /// An element of an argument.
  private struct Place: Hashable {
    var argument, position: Int
  }

  package init(_ kernel: Kernel, arrays: [[Float]]) {
    self.kernel = kernel
    self.arrays = arrays
  }

  package mutating func run(_ units: Range<Int>) {
    switch kernel.body {
    case .rows(let rows): run(rows, first: units)
    case .columns(let columns): run(columns, units)
    case .matmul(let matmul): run(matmul, units)
    case .attention(let attention): for unit in units { run(attention, unit: unit) }
    case .attentionGradient(let gradient): for unit in units { run(gradient, unit: unit) }
    case .groupAttention(let attention): for unit in units { run(attention, unit: unit) }
    case .groupAttentionGradient(let gradient): for unit in units { run(gradient, unit: unit) }
    case .index(let index): for unit in units { run(index, unit: unit) }
    case .wavelet(let wavelet): for unit in units { run(wavelet, unit: unit) }
    case .sequence(let sequence): for unit in units { run(sequence, unit: unit) }
    case .parallel(let parallel): for group in parallel.groups { run(group) }
    }
  }

  private mutating func run(_ sequence: SequenceKernel, unit: Int) {
    for member in sequence.members {
      switch member {
      case .wavelet(let wavelet): run(wavelet, unit: unit)
      case .rows(let rows): run(rows, first: unit..<unit + 1)
      }
    }
  }

  private mutating func run(_ group: ParallelKernel.Repetition) {
    for member in 0..<group.count {
      var own = group.kernel.arguments.map { [Float](repeating: .nan, count: $0.access == .workspace ? $0.count : 0) }
      for (operand, argument) in zip(group.operands, group.arguments(of: member)) { own[operand] = arrays[argument] }
      var reference = KernelReference(group.kernel, arrays: own)
      reference.run(0..<group.units)
      for (operand, argument) in zip(group.operands, group.arguments(of: member)) {
        arrays[argument] = reference.arrays[operand]
        reference.termMagnitudes[operand].map { noteTerms($0, in: argument) }
      }
      scale = max(scale, reference.scale)
    }
  }

  /// All combinations of indices below `extents`, the last one fastest.
  static func indices(_ extents: [Int]) -> [[Int]] {
    extents.reduce([[]]) { prefixes, extent in prefixes.flatMap { prefix in (0..<extent).map { prefix + [$0] } } }
  }

  // MARK: Expressions

  private func position(_ access: Access, _ loops: [Int]) -> Int {
    func sum(_ offset: Int, _ strides: [Int]) -> Int { zip(loops, strides).map { $0 * $1 }.reduce(offset, +) }
    let picked = access.pick.map { Int(arrays[$0.argument][sum($0.offset, $0.strides)]) * $0.stride } ?? 0
    let isInWorkspace = kernel.arguments[access.argument].access == .workspace
    return sum(access.offset, access.strides) + picked - (isInWorkspace ? firstRow * access.strides[0] : 0)
  }

  private mutating func evaluate(_ instructions: [Instruction], _ loops: [Int], _ scalars: [Int: Float]) -> [Float] {
    var values: [Float] = []
    for instruction in instructions {
      let value: Float =
        switch instruction {
        case .load(let access): arrays[access.argument][position(access, loops)]
        case .constant(let number): number
        case .scalar(let slot): scalars[slot] ?? .nan
        case .rounded(let x): BFloat16.rounded(values[x])
        case .unary(let function, let x): Self.apply(function, values[x])
        case .binary(let function, let x, let y): Self.apply(function, values[x], values[y])
        }
      if value.isFinite { scale = max(scale, abs(value)) }
      values.append(value)
    }
    return values
  }

  static func apply(_ function: UnaryFunction, _ x: Float) -> Float {
    switch function {
    case .negate: -x
    case .exponential: Float(Foundation.exp(Double(x)))
    case .logarithm: Float(Foundation.log(Double(x)))
    case .squareRoot: x.squareRoot()
    case .reciprocalSquareRoot: 1 / x.squareRoot()
    case .errorFunction: Float(Foundation.erf(Double(x)))
    case .hyperbolicTangent: Float(Foundation.tanh(Double(x)))
    case .cosinePi: Float(cosinePi(Double(x)))
    case .sinePi: Float(sinePi(Double(x)))
    }
  }

  static func apply(_ function: BinaryFunction, _ x: Float, _ y: Float) -> Float {
    switch function {
    case .add: x + y
    case .subtract: x - y
    case .multiply: x * y
    case .divide: x / y
    case .maximum: x > y ? x : y
    case .minimum: x < y ? x : y
    case .atLeast: x >= y ? 1 : 0
    }
  }

  private mutating func store(_ value: Float, _ access: Access, _ loops: [Int]) {
    arrays[access.argument][position(access, loops)] =
      switch kernel.arguments[access.argument].element {
      case .float32: value
      case .bfloat16: BFloat16.rounded(value)
      case .int32: value.rounded(.toNearestOrEven)
      }
  }

  // MARK: Rows and columns

  private mutating func run(_ rows: RowKernel, first: Range<Int>) {
    for unit in first {
      rowSums = [:]
      for item in rows.stages.flatMap(\.stores) where item.sumsRows {
        for column in 0..<rows.width { store(0, item.access, [unit] + rows.outer.dropFirst().map { _ in 0 } + [column]) }
      }
      for inner in Self.indices(Array(rows.outer.dropFirst())) { runRow(rows, [unit] + inner) }
    }
  }

  private mutating func runRow(_ rows: RowKernel, _ loops: [Int]) {
    var scalars: [Int: Float] = [:]
    for stage in rows.stages {
      var terms = stage.results.map { _ in [Float]() }
      for column in 0..<(stage.extent == .row ? 1 : rows.width) {
        let values = evaluate(stage.instructions, loops + [column], scalars)
        for (position, result) in stage.results.enumerated() { terms[position].append(values[result.operand]) }
        for item in stage.stores {
          let indices = loops + [column]
          guard item.sumsRows else {
            store(values[item.operand], item.access, indices)
            continue
          }
          let place = Place(argument: item.access.argument, position: position(item.access, indices))
          let sum = rowSums[place, default: 0] + Double(values[item.operand])
          rowSums[place] = sum
          store(Float(sum), item.access, indices)
          scale = max(scale, Float(abs(sum)))
        }
      }
      for (result, elements) in zip(stage.results, terms) {
        scalars[result.slot] = Self.reduce(result.reduction ?? .sum, elements)
        scale = max(scale, elements.map(abs).reduce(0, +))
      }
    }
  }

  static func reduce(_ function: ReductionFunction, _ elements: [Float]) -> Float {
    switch function {
    case .sum: Float(elements.map(Double.init).reduce(0, +))
    case .maximum: elements.reduce(-.infinity, max)
    }
  }

  private mutating func run(_ kernel: ColumnKernel, _ units: Range<Int>) {
    var (outer, columns) = (Self.indices(kernel.outer), 0..<kernel.width)
    switch kernel.partition {
    case .outer: outer = outer.filter { units.contains($0[0]) }
    case .columns(let block): columns = units.lowerBound * block..<min(units.upperBound * block, kernel.width)
    }
    for loops in outer {
      for column in columns {
        let elements = Self.indices(kernel.reduced).map { evaluate(kernel.instructions, loops + $0 + [column], [:]) }
        for result in kernel.results {
          let terms = elements.map { $0[result.operand] }
          let magnitude = terms.map(abs).reduce(0, +)
          scale = max(scale, magnitude)
          if result.function == .sum { noteTerms(magnitude, in: result.access.argument) }
          store(Self.reduce(result.function, terms), result.access, loops + [column])
        }
      }
    }
  }

  private mutating func noteTerms(_ magnitude: Float, in argument: Int) {
    termMagnitudes[argument] = max(termMagnitudes[argument] ?? 0, magnitude)
  }

  // MARK: Products

  private mutating func run(_ matmul: MatmulKernel, _ units: Range<Int>) {
    let strides = kernel.arguments.map(\.unitStride)
    switch matmul.partition {
    case .samples(let rows):
      for unit in units { product(matmul, rows: 0..<rows) { unit * strides[$0.argument] } }
    case .products(let batches):
      for unit in units {
        for batch in 0..<batches {
          product(matmul, rows: 0..<matmul.m) { unit * strides[$0.argument] + batch * $0.batchStride }
        }
      }
    case .rows(let block):
      for unit in units {
        let rows = unit * block..<min((unit + 1) * block, matmul.m)
        firstRow = rows.lowerBound
        product(matmul, rows: rows) { $0.argument == matmul.workspace ? -rows.lowerBound * $0.rowStride : 0 }
        if let sums = matmul.leftSums { sumLeftRows(of: matmul, rows, into: sums) }
        if let epilogue = matmul.epilogue { run(epilogue, first: rows) }
      }
      return
    }
    if let epilogue = matmul.epilogue { run(epilogue, first: units) }
  }

  private mutating func product(_ matmul: MatmulKernel, rows: Range<Int>, _ offset: (MatmulKernel.Matrix) -> Int) {
    func element(_ matrix: MatmulKernel.Matrix, _ row: Int, _ column: Int) -> Int {
      let (row, column) = matrix.isTransposed ? (column, row) : (row, column)
      return matrix.offset + offset(matrix) + row * matrix.rowStride + column
    }
    for row in rows {
      for column in 0..<matmul.n {
        let terms = (0..<matmul.k).map { k in
          Double(arrays[matmul.left.argument][element(matmul.left, row, k)])
            * Double(arrays[matmul.right.argument][element(matmul.right, k, column)])
        }
        scale = max(scale, Float(terms.map(abs).reduce(0, +)))
        let target = element(matmul.result, row, column)
        let start = matmul.accumulates ? Double(arrays[matmul.result.argument][target]) : 0
        arrays[matmul.result.argument][target] = Float(terms.reduce(start, +))
      }
    }
  }

  private mutating func sumLeftRows(of matmul: MatmulKernel, _ rows: Range<Int>, into sums: Access) {
    let left = matmul.left
    for row in rows {
      let terms = (0..<matmul.k).map { k in
        Double(arrays[left.argument][left.offset + (left.isTransposed ? k * left.rowStride + row : row * left.rowStride + k)])
      }
      scale = max(scale, Float(terms.map(abs).reduce(0, +)))
      store(Float(terms.reduce(0, +)), sums, [row])
    }
  }

  // MARK: Index tables

  private mutating func run(_ index: IndexKernel, unit: Int) {
    func start(_ argument: Int) -> Int { unit * kernel.arguments[argument].unitStride }
    switch index {
    case .rank(let rows, let width):
      for row in 0..<rows {
        let numbers = Array(arrays[0][start(0) + row * width..<start(0) + (row + 1) * width])
        let order = numbers.indices.sorted { (numbers[$0], $0) < (numbers[$1], $1) }
        for (rank, number) in order.enumerated() { arrays[1][start(1) + row * width + number] = Float(rank) }
      }
    case .invertPermutation(let rows, let width):
      for row in 0..<rows {
        for i in 0..<width { arrays[1][start(1) + row * width + Int(arrays[0][start(0) + row * width + i])] = Float(i) }
      }
    case .finerIndices(let count, let grid, let side, let offset):
      for i in 0..<count {
        let cell = Int(arrays[0][start(0) + offset + i])
        for index in 0..<side * side {
          let inner = QuarterOrder.cell(index)
          let finer = (cell / grid * side + inner.row) * grid * side + cell % grid * side + inner.column
          arrays[1][start(1) + i * side * side + index] = Float(finer)
        }
      }
    case .windowGroups(let count, let cut, let offset, _):
      let cells = (0..<count).map { Int(arrays[0][start(0) + offset + $0]) }
      let order = cells.indices.sorted { (cut.window(of: cells[$0]), $0) < (cut.window(of: cells[$1]), $1) }
      let windows = order.map { cut.window(of: cells[$0]) }
      let ends = (1...count).filter { $0 == count || windows[$0] != windows[$0 - 1] }
      let rows = [order, ends + [Int](repeating: count, count: count - ends.count), order.map { cut.code(of: cells[$0]) }]
      for (element, number) in rows.joined().enumerated() { arrays[1][start(1) + element] = Float(number) }
    case .scatterAdd(let scatter):
      for element in 0..<scatter.rows * scatter.width { arrays[2][start(2) + element] = 0 }
      for i in 0..<scatter.samples * scatter.count {
        let to = start(2) + Int(arrays[1][start(1) + i]) * scatter.width
        let (sample, row) = i.quotientAndRemainder(dividingBy: scatter.count)
        let from = start(0) + scatter.sourceOffset + sample * scatter.sampleStride + row * scatter.rowStride
        for column in 0..<scatter.width { arrays[2][to + column] += arrays[0][from + column] }
      }
    }
  }
}

/// sin(π · `x`), reduced to a quarter of a turn, where single precision loses nothing; integers give zeros with the sign of `x`.
package func sinePi(_ x: Double) -> Double {
  let rest = abs(x) - 2 * (abs(x) / 2).rounded()
  let result = Foundation.sin(.pi * (abs(rest) > 0.5 ? (rest < 0 ? -1 : 1) - rest : rest))
  return x.sign == .minus ? -result : result
}

/// cos(π · `x`), in the same way.
package func cosinePi(_ x: Double) -> Double {
  Foundation.sin(.pi * (0.5 - abs(x - 2 * (x / 2).rounded())))
}
