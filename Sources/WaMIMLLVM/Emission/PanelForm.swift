import WaMIMCompiler
import WaMIMGraph

/// What the factors of a product are when tiles multiply them.
enum PanelForm: Hashable, Sendable {
  /// float32 numbers, as they lie or copied.
  case float32
  /// float32 numbers, copied from bf16 ones.
  case widened
  /// Pairs of bf16 numbers that follow each other along the sum, 32 bits each: one instruction multiplies and adds both.
  case pairs

  /// The form for `matmul`: pairs where there are instructions for them and the sides' elements lie in pairs.
  init(_ matmul: MatmulKernel, on instructions: InstructionSet) {
    guard matmul.factor == .bfloat16 else {
      self = .float32
      return
    }
    let (left, right) = (matmul.left, matmul.right)
    // Rows of one pair or less would look as if they lay the other way.
    let liesInPairs =
      left.rowStride > 2 && right.rowStride > 2
      && (left.isTransposed || left.holdsPairs(along: matmul.k)) && (!right.isTransposed || right.holdsPairs(along: matmul.k))
    self = instructions.pairs != nil && liesInPairs ? .pairs : .widened
  }

  /// What dumps say of it.
  var suffix: String {
    switch self {
    case .float32: ""
    case .widened: " bf16 as float32"
    case .pairs: " bf16 pairs"
    }
  }

  /// Terms of a sum that one step of a tile adds.
  var terms: Int { self == .pairs ? 2 : 1 }

  /// The steps that a sum of `k` terms takes.
  func steps(of k: Int) -> Int { (k + terms - 1) / terms }

  /// A side whose columns are summed over, a step from one column to the next.
  ///
  /// Where neighbours along the sum lie side by side, a pair is one element of 32 bits; elsewhere a step passes over two columns.
  func inSteps(_ side: MatrixView, _ builder: IRBuilder) -> MatrixView {
    guard self == .pairs else { return side }
    guard side.columnStride == 1 else {
      var steps = side
      steps.columnStride *= 2
      return steps
    }
    return side.asWords(builder)
  }
}

extension MatmulKernel.Matrix {
  /// Whether two neighbours along rows of `count` elements never share a pair with others.
  fileprivate func holdsPairs(along count: Int) -> Bool {
    [count, rowStride, offset, batchStride].allSatisfy { $0.isMultiple(of: 2) }
  }
}

extension MatrixView {
  /// A view of bf16 elements as one of words of 32 bits, two elements each; columns nearer than that count as one.
  func asWords(_ builder: IRBuilder) -> MatrixView {
    guard address.element == .bfloat16 else { return self }
    let index = builder.shiftRightUnsigned(address.index, builder.index(1))
    return MatrixView(
      address: Address(base: address.base, index: index), rowStride: rowStride == 1 ? 1 : rowStride / 2,
      columnStride: columnStride == 1 ? 1 : columnStride / 2)
  }
}
