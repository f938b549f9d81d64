@_exported import WaMIMTypes

/// A primitive operation: the closed vocabulary that every layer expands to.
///
/// What a stage knows about operations is an exhaustive `switch` in that stage; names, operands and attributes as text are in
/// `OperationSchema`, result types in `Operation.resultType(of:)`.
public enum Operation: Hashable, Sendable {
  // Sources.

  /// A tensor that the runtime provides anew in every step.
  case input(name: String, type: TensorType, binding: Binding)
  /// A tensor that the model learns, updated as its group says.
  case parameter(name: String, shape: Shape, initializer: Initializer, group: ParameterGroup = ParameterGroup())
  /// A tensor that the optimiser or the model keeps between steps, `start` everywhere before the first.
  case state(name: String, shape: Shape, role: StateRole, start: Float = 0)
  /// A tensor that adds up over the rounds of one step, zero before the first round.
  case accumulator(name: String, shape: Shape)
  /// A tensor whose elements are all `value`.
  case constant(value: Float, shape: Shape)
  /// MAE's fixed sine–cosine table of positions, [grid², width], led by a zero row where there is a class token.
  case positionTable(width: Int, grid: Int, classToken: Bool)

  // Element by element.

  case unary(UnaryFunction)
  /// Both operands have the same shape.
  case binary(BinaryFunction)
  /// The elements as numbers of another type.
  case convert(to: ElementType)
  /// The operand itself, with no gradient flowing back through it.
  case detach

  // Movement.

  /// The operand repeated along axes of extent 1, aligned at the last axes.
  case broadcast(shape: Shape)
  /// The same elements in row-major order under another shape.
  case reshape(shape: Shape)
  /// Axis `i` of the result is axis `permutation[i]` of the operand.
  case transpose(permutation: [Int])
  /// Every `step`-th element along `axis`, `count` of them from `start`.
  case slice(axis: Int, start: Int, count: Int, step: Int)
  /// Zeros of extent `extent` along `axis`, with the operand at `start`, `start + step`, …: the adjoint of `slice`.
  case pad(axis: Int, start: Int, extent: Int, step: Int)
  /// The operands one after the other along `axis`.
  case concatenate(axis: Int)

  // Reductions, which leave an extent of 1.

  case reduce(ReductionFunction, axes: [Int])

  // Contractions.

  /// [.., m, k] × [k, n], or × [.., k, n] with the same leading axes; a transposed operand has its last two axes swapped.
  case matmul(transposeLeft: Bool, transposeRight: Bool)
  /// Softmax attention of q [b, n, c] over k and v [b, m, c], each head taking c / heads channels, scaled by (c / heads)^-½.
  case attention(heads: Int)
  /// The gradient of attention, given q, k, v and the gradient of its result, for one of its operands.
  case attentionGradient(heads: Int, operand: AttentionOperand)
  /// Softmax attention of q, k, v [b, n, c] within groups of tokens, with a bias for each pair of tokens from a table [(2w - 1)², heads].
  ///
  /// The groups are what `windowGroups` makes of the tokens' cells; a group has at most w² tokens. The row of the table for a query and
  /// a key is its middle one plus the difference of their codes.
  case groupAttention(heads: Int)
  /// The gradient of attention within groups, given its operands and the gradient of its result, for one of its operands; that for the
  /// table is each sample's own, [b, (2w - 1)², heads].
  case groupAttentionGradient(heads: Int, operand: AttentionOperand)

  // Rows by index.

  /// Rows of x [b, n, c] picked by indices [b, k] in each sample: [b, k, c].
  case gather
  /// The adjoint of `gather`: rows [b, k, c] added up at indices [b, k] in zeros [b, rows, c]; or [b, s, k, c] at [b, s, k], those of
  /// `s` samples in the same zeros.
  case scatterAdd(rows: Int)
  /// The rank of each number among those along the last axis in ascending order, equal ones in the order they stand in.
  case rank
  /// The inverse of the permutation along the last axis.
  case invertPermutation
  /// The cells [b, k · side²] of a grid `side` times as fine that make up the cells [b, k] of a grid; those of one cell follow each
  /// other in the order of `QuarterOrder`.
  case finerIndices(grid: Int, side: Int)
  /// The tokens at cells [b, n], by the windows that a grid is cut into: [b, 3, n].
  ///
  /// The first row has the tokens' indices window by window, those of one window in the order they stand in; the second says where each
  /// group ends there, and is n behind the last group; the third has the codes of the tokens in their windows, in the order of the first.
  case windowGroups(WindowCut)

  // Signals.

  /// One level of a two-dimensional wavelet analysis of [b, c, h, w]: [b, c, 4, h/2, w/2], subbands in the order LL, LH, HL, HH.
  ///
  /// Rows and columns go on periodically. LH, HL and HH are PyWavelets' cH, cV and cD: LH is high along columns, HL along rows.
  case waveletAnalysis(Wavelet)
  /// The adjoint of `waveletAnalysis`, [b, c, 4, h, w] to [b, c, 2h, 2w]; its inverse where the wavelet is orthogonal.
  case waveletAdjoint(Wavelet)
}

/// An operand of attention; only attention within groups has a bias.
public enum AttentionOperand: String, Hashable, Sendable, CaseIterable {
  case query, key, value, bias
}

extension Operation {
  /// Whether each element of the result depends only on the elements at the same index in the operands.
  public var isElementwise: Bool {
    switch self {
    case .unary, .binary, .convert, .detach: true
    default: false
    }
  }

  /// Whether the operation has no operands.
  public var isSource: Bool {
    switch self {
    case .input, .parameter, .state, .accumulator, .constant, .positionTable: true
    default: false
    }
  }
}
