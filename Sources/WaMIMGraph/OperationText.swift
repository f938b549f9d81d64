extension Operation {
  /// How the operation is written.
  public var schema: OperationSchema {
    // Every operation's name is in the table: `OperationSchemaTests` holds the two together.
    OperationSchema.byName[name] ?? OperationSchema(name, [], [], "")
  }

  /// The operation's name in `.wg` and in dumps.
  public var name: String {
    switch self {
    case .input: "input"
    case .parameter: "parameter"
    case .state: "state"
    case .accumulator: "accumulator"
    case .constant: "constant"
    case .positionTable: "position_table"
    case .unary(let function): function.rawValue
    case .binary(let function): function.rawValue
    case .convert: "convert"
    case .detach: "detach"
    case .broadcast: "broadcast"
    case .reshape: "reshape"
    case .transpose: "transpose"
    case .slice: "slice"
    case .pad: "pad"
    case .concatenate: "concatenate"
    case .reduce(let function, _): function.rawValue
    case .matmul: "matmul"
    case .attention: "attention"
    case .attentionGradient: "attention_gradient"
    case .groupAttention: "group_attention"
    case .groupAttentionGradient: "group_attention_gradient"
    case .gather: "gather"
    case .scatterAdd: "scatter_add"
    case .rank: "rank"
    case .invertPermutation: "invert_permutation"
    case .finerIndices: "finer_indices"
    case .windowGroups: "window_groups"
    case .waveletAnalysis: "wavelet_analysis"
    case .waveletAdjoint: "wavelet_adjoint"
    }
  }

  /// The values of the schema's attributes, in its order.
  public var attributes: [Attribute] {
    switch self {
    case .input(let name, let type, let binding):
      [.text(name), .element(type.element), .integers(type.shape.dimensions), .binding(binding)]
    case .parameter(let name, let shape, let initializer, let group):
      [
        .text(name), .integers(shape.dimensions), .initializer(initializer), .number(group.rateScale),
        .symbol(group.decay.rawValue), .flag(group.isFrozen), .integer(group.layersAbove),
      ]
    case .state(let name, let shape, let role, let start):
      [.text(name), .integers(shape.dimensions), .role(role), .number(start)]
    case .accumulator(let name, let shape): [.text(name), .integers(shape.dimensions)]
    case .constant(let value, let shape): [.number(value), .integers(shape.dimensions)]
    case .positionTable(let width, let grid, let classToken): [.integer(width), .integer(grid), .flag(classToken)]
    case .broadcast(let shape), .reshape(let shape): [.integers(shape.dimensions)]
    case .transpose(let permutation): [.integers(permutation)]
    case .slice(let axis, let start, let count, let step): [.integer(axis), .integer(start), .integer(count), .integer(step)]
    case .pad(let axis, let start, let extent, let step): [.integer(axis), .integer(start), .integer(extent), .integer(step)]
    case .concatenate(let axis): [.integer(axis)]
    case .reduce(_, let axes): [.integers(axes)]
    case .matmul(let transposeLeft, let transposeRight): [.flag(transposeLeft), .flag(transposeRight)]
    case .attention(let heads), .groupAttention(let heads): [.integer(heads)]
    case .attentionGradient(let heads, let operand), .groupAttentionGradient(let heads, let operand):
      [.integer(heads), .symbol(operand.rawValue)]
    case .finerIndices(let grid, let side): [.integer(grid), .integer(side)]
    case .windowGroups(let cut): [.integer(cut.grid), .integer(cut.window), .integer(cut.shift)]
    case .scatterAdd(let rows): [.integer(rows)]
    case .waveletAnalysis(let wavelet), .waveletAdjoint(let wavelet): [.symbol(wavelet.rawValue)]
    case .convert(let element): [.element(element)]
    case .unary, .binary, .detach, .gather, .rank, .invertPermutation: []
    }
  }

  /// Creates the operation called `name`, whose `attributes` are in the order of its schema.
  ///
  /// Returns nil where there is no such operation or the attributes are not of the schema's kinds.
  public init?(name: String, attributes: [Attribute]) {
    let reader = AttributeReader(attributes: attributes)
    if let function = UnaryFunction(rawValue: name) {
      self = .unary(function)
    } else if let function = BinaryFunction(rawValue: name) {
      self = .binary(function)
    } else if let function = ReductionFunction(rawValue: name), let axes = reader.integers(0) {
      self = .reduce(function, axes: axes)
    } else if let operation = Operation.named(name, reader) {
      self = operation
    } else {
      return nil
    }
  }

  private static func named(_ name: String, _ read: AttributeReader) -> Operation? {
    switch name {
    case "input":
      guard let name = read.text(0), let element = read.element(1), let shape = read.integers(2),
        let binding = read.binding(3)
      else { return nil }
      return .input(name: name, type: TensorType(element, Shape(shape)), binding: binding)
    case "parameter":
      guard let name = read.text(0), let shape = read.integers(1), let initializer = read.initializer(2), let group = read.group(3)
      else { return nil }
      return .parameter(name: name, shape: Shape(shape), initializer: initializer, group: group)
    case "state":
      guard let name = read.text(0), let shape = read.integers(1), let role = read.role(2), let start = read.number(3) else {
        return nil
      }
      return .state(name: name, shape: Shape(shape), role: role, start: start)
    case "accumulator":
      guard let name = read.text(0), let shape = read.integers(1) else { return nil }
      return .accumulator(name: name, shape: Shape(shape))
    case "constant":
      guard let value = read.number(0), let shape = read.integers(1) else { return nil }
      return .constant(value: value, shape: Shape(shape))
    case "position_table":
      guard let width = read.integer(0), let grid = read.integer(1), let classToken = read.flag(2) else { return nil }
      return .positionTable(width: width, grid: grid, classToken: classToken)
    case "convert": return read.element(0).map { .convert(to: $0) }
    case "detach": return .detach
    case "broadcast": return read.integers(0).map { .broadcast(shape: Shape($0)) }
    case "reshape": return read.integers(0).map { .reshape(shape: Shape($0)) }
    case "transpose": return read.integers(0).map { .transpose(permutation: $0) }
    case "slice":
      guard let axis = read.integer(0), let start = read.integer(1), let count = read.integer(2), let step = read.integer(3)
      else { return nil }
      return .slice(axis: axis, start: start, count: count, step: step)
    case "pad":
      guard let axis = read.integer(0), let start = read.integer(1), let extent = read.integer(2), let step = read.integer(3)
      else { return nil }
      return .pad(axis: axis, start: start, extent: extent, step: step)
    case "concatenate": return read.integer(0).map { .concatenate(axis: $0) }
    case "matmul":
      guard let left = read.flag(0), let right = read.flag(1) else { return nil }
      return .matmul(transposeLeft: left, transposeRight: right)
    case "attention": return read.integer(0).map { .attention(heads: $0) }
    case "attention_gradient":
      guard let heads = read.integer(0), let operand = read.symbol(1).flatMap(AttentionOperand.init) else { return nil }
      return .attentionGradient(heads: heads, operand: operand)
    case "group_attention": return read.integer(0).map { .groupAttention(heads: $0) }
    case "group_attention_gradient":
      guard let heads = read.integer(0), let operand = read.symbol(1).flatMap(AttentionOperand.init) else { return nil }
      return .groupAttentionGradient(heads: heads, operand: operand)
    case "gather": return .gather
    case "scatter_add": return read.integer(0).map { .scatterAdd(rows: $0) }
    case "rank": return .rank
    case "invert_permutation": return .invertPermutation
    case "finer_indices":
      guard let grid = read.integer(0), let side = read.integer(1) else { return nil }
      return .finerIndices(grid: grid, side: side)
    case "window_groups":
      guard let grid = read.integer(0), let window = read.integer(1), let shift = read.integer(2) else { return nil }
      return .windowGroups(WindowCut(grid: grid, window: window, shift: shift))
    case "wavelet_analysis": return read.symbol(0).flatMap(Wavelet.init).map { .waveletAnalysis($0) }
    case "wavelet_adjoint": return read.symbol(0).flatMap(Wavelet.init).map { .waveletAdjoint($0) }
    default: return nil
    }
  }
}

/// Reads attributes by position, each as the kind that is wanted.
private struct AttributeReader {
  var attributes: [Attribute]

  private subscript(_ index: Int) -> Attribute? {
    attributes.indices.contains(index) ? attributes[index] : nil
  }

  func integer(_ index: Int) -> Int? {
    if case .integer(let value)? = self[index] { value } else { nil }
  }

  func number(_ index: Int) -> Float? {
    switch self[index] {
    case .number(let value)?: value
    case .integer(let value)?: Float(value)
    default: nil
    }
  }

  func flag(_ index: Int) -> Bool? {
    if case .flag(let value)? = self[index] { value } else { nil }
  }

  func text(_ index: Int) -> String? {
    if case .text(let value)? = self[index] { value } else { nil }
  }

  func integers(_ index: Int) -> [Int]? {
    if case .integers(let value)? = self[index] { value } else { nil }
  }

  func symbol(_ index: Int) -> String? {
    if case .symbol(let value)? = self[index] { value } else { nil }
  }

  func initializer(_ index: Int) -> Initializer? {
    if case .initializer(let value)? = self[index] { value } else { nil }
  }

  func binding(_ index: Int) -> Binding? {
    if case .binding(let value)? = self[index] { value } else { nil }
  }

  func role(_ index: Int) -> StateRole? {
    if case .role(let value)? = self[index] { value } else { nil }
  }

  /// The group that four attributes from `index` on say.
  func group(_ index: Int) -> ParameterGroup? {
    guard let scale = number(index), let decay = symbol(index + 1).flatMap(ParameterGroup.Decay.init),
      let isFrozen = flag(index + 2), let layersAbove = integer(index + 3)
    else { return nil }
    return ParameterGroup(rateScale: scale, layersAbove: layersAbove, decay: decay, isFrozen: isFrozen)
  }

  func element(_ index: Int) -> ElementType? {
    if case .element(let value)? = self[index] { value } else { nil }
  }
}
