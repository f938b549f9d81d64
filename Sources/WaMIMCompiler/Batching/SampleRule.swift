import WaMIMGraph

/// What an operation makes of operands of which some have to do with samples: one rule an operation.
struct SampleRule {
  /// What the operands have to be, shared ones having been repeated or shared out.
  var operands: [SampleRole]
  var result: SampleRole

  private init(_ operands: [SampleRole], _ result: SampleRole) {
    self.operands = operands
    self.result = result
  }

  /// The rule for `node`, whose operands are of `shapes` and were `given` roles, not all of them shared, in a batch of `batch` samples.
  ///
  /// - Returns: nil where the samples mix so that micro-batches do not add up to the batch.
  init?(_ node: Node, _ given: [SampleRole], shapes: [Shape], batch: Int) {
    let count = given.count
    guard let leading = given.first(where: { $0.axis != nil }) ?? given.first(where: { $0 == .sum }) else { return nil }
    // Each operand that is not shared has to be alike, but for products.
    func alike(_ result: SampleRole?) -> SampleRule? {
      result.map { SampleRule([SampleRole](repeating: leading, count: count), $0) }
    }
    let rule: SampleRule?
    switch node.operation {
    case .unary(.negate), .detach: rule = alike(leading)
    case .unary, .convert: rule = alike(leading.axis == nil ? nil : leading)
    case .binary(let function): rule = leading.axis == nil ? SampleRule(ofSums: given, function) : alike(leading)
    case .broadcast(let shape): rule = alike(leading.moved { $0 + shape.rank - shapes[0].rank })
    case .reshape(let shape): rule = alike(leading.moved { shapes[0].axis($0, in: shape, multipleOf: batch) })
    case .transpose(let permutation): rule = alike(leading.moved { permutation.firstIndex(of: $0) })
    case .slice(let axis, _, _, _), .pad(let axis, _, _, _), .concatenate(let axis):
      rule = alike(leading.axis == axis ? nil : leading)
    case .reduce(let function, let axes): rule = alike(SampleRule.reduced(leading, function, axes))
    case .matmul(let transposeLeft, let transposeRight):
      rule = SampleRule(ofProduct: given, shapes, transposeLeft, transposeRight)
    case .attention, .attentionGradient, .gather, .scatterAdd: rule = alike(leading.axis == 0 ? leading : nil)
    case .groupAttention, .groupAttentionGradient:
      rule = leading.axis == 0 ? SampleRule(ofGroups: given, leading) : nil
    case .finerIndices, .windowGroups: rule = alike(leading.axis == 0 ? leading : nil)
    case .rank, .invertPermutation: rule = alike(leading.axis.map { $0 < shapes[0].rank - 1 } == true ? leading : nil)
    case .waveletAnalysis, .waveletAdjoint: rule = alike(leading.axis.map { $0 < 2 } == true ? leading : nil)
    case .input, .parameter, .state, .accumulator, .constant, .positionTable: rule = nil
    }
    guard let rule else { return nil }
    self = rule
  }

  private static func reduced(_ role: SampleRole, _ function: ReductionFunction, _ axes: [Int]) -> SampleRole? {
    switch role {
    case .samples(let axis) where axes.contains(axis): function == .sum ? .sum : nil
    case .sum: function == .sum ? .sum : nil
    case .samples, .shared: role
    }
  }

  /// Sums over samples may be added to each other, and multiplied by what all samples share.
  private init?(ofSums given: [SampleRole], _ function: BinaryFunction) {
    switch function {
    case .add, .subtract: self.init([.sum, .sum], .sum)
    case .multiply where given.contains(.shared), .divide where given[1] == .shared: self.init(given, .sum)
    case .multiply, .divide, .maximum, .minimum, .atLeast: return nil
    }
  }

  /// Each sample has its tokens and its groups; all samples share the table of biases, the fourth operand.
  private init?(ofGroups given: [SampleRole], _ leading: SampleRole) {
    guard given[3] == .shared else { return nil }
    self.init(given.indices.map { $0 == 3 ? .shared : leading }, leading)
  }

  /// A product keeps the axes of matrices and of the left one's rows and the right one's columns, and sums over the others.
  private init?(ofProduct given: [SampleRole], _ shapes: [Shape], _ transposeLeft: Bool, _ transposeRight: Bool) {
    let (left, right) = (shapes[0].rank, shapes[1].rank)
    let (rows, leftDepth) = transposeLeft ? (left - 1, left - 2) : (left - 2, left - 1)
    let (columns, rightDepth) = transposeRight ? (right - 2, right - 1) : (right - 1, right - 2)
    switch (given[0], given[1]) {
    case (.sum, .shared), (.shared, .sum): self.init(given, .sum)
    case (.samples(leftDepth), _), (_, .samples(rightDepth)):
      self.init([.samples(axis: leftDepth), .samples(axis: rightDepth)], .sum)
    case (.samples(rows), .shared): self.init(given, .samples(axis: left - 2))
    case (.shared, .samples(columns)): self.init(given, .samples(axis: left - 1))
    case (.samples(let axis), _) where axis < left - 2:
      self.init([given[0], right == 2 ? .shared : given[0]], given[0])
    case (_, .samples(let axis)) where axis < right - 2: self.init([given[1], given[1]], given[1])
    default: return nil
    }
  }
}

/// Along which axes the operands of a shared value have to be repeated for the value to be repeated along one.
struct RepeatedAxes {
  /// The axis of each operand, or nil where it may stay as it is.
  var operands: [Int?]

  /// The axes for `node`, whose operands are of `shapes`, or nil where it is not known to be repeated along `axis`.
  init?(_ node: Node, _ axis: Int, shapes: [Shape], batch: Int) {
    switch node.operation {
    case .constant: operands = []
    case .broadcast(let shape):
      let own = axis - (shape.rank - shapes[0].rank)
      operands = [own >= 0 && shapes[0][own] != 1 ? own : nil]
    case .unary, .binary, .convert, .detach: operands = shapes.map { _ in axis }
    case .reshape(let shape):
      guard let own = shape.axis(axis, in: shapes[0], multipleOf: batch) else { return nil }
      operands = [own]
    case .transpose(let permutation): operands = [permutation[axis]]
    case .slice(let other, _, _, _), .pad(let other, _, _, _), .concatenate(let other):
      guard other != axis else { return nil }
      operands = shapes.map { _ in axis }
    case .reduce(_, let axes):
      guard !axes.contains(axis) else { return nil }
      operands = [axis]
    case .matmul:
      guard axis < shapes[0].rank - 2 else { return nil }
      operands = [axis, shapes[1].rank == 2 ? nil : axis]
    case .attention, .attentionGradient, .gather, .scatterAdd, .finerIndices, .windowGroups:
      guard axis == 0 else { return nil }
      operands = shapes.map { _ in axis }
    case .groupAttention, .groupAttentionGradient:
      guard axis == 0 else { return nil }
      operands = shapes.indices.map { $0 == 3 ? nil : axis }
    case .rank, .invertPermutation:
      guard axis < shapes[0].rank - 1 else { return nil }
      operands = [axis]
    case .input, .parameter, .state, .accumulator, .positionTable, .waveletAnalysis, .waveletAdjoint: return nil
    }
  }
}

extension SampleRole {
  /// The axis along which samples follow each other, or nil.
  fileprivate var axis: Int? {
    if case .samples(let axis) = self { axis } else { nil }
  }

  /// The role after an axis has moved to another index, or nil where it has none there.
  fileprivate func moved(_ index: (Int) -> Int?) -> SampleRole? {
    guard let axis else { return self }
    return index(axis).map { .samples(axis: $0) }
  }
}

extension Shape {
  /// The axis of `target`, a shape of the same elements, along which `batch` samples follow each other that do so along `axis` here.
  fileprivate func axis(_ axis: Int, in target: Shape, multipleOf batch: Int) -> Int? {
    let outside = dimensions.prefix(axis).reduce(1, *)
    var product = 1
    for (axis, extent) in target.dimensions.enumerated() {
      if product == outside, extent > 1 { return extent.isMultiple(of: batch) ? axis : nil }
      product *= extent
    }
    return nil
  }
}
