import WaMIMGraph

extension Simplifier {
  /// Neutral elements, signs and chains of factors.
  mutating func simplifyArithmetic(_ node: Node) throws -> ValueID? {
    switch node.operation {
    case .unary(.negate): try simplifyNegation(node)
    case .binary(.add): try simplifySum(node, node.operands[0], node.operands[1])
    case .binary(.subtract): try simplifyDifference(node, node.operands[0], node.operands[1])
    case .binary(.multiply): try simplifyProduct(node, node.operands[0], node.operands[1])
    case .binary(.divide): try simplifyQuotient(node, node.operands[0], node.operands[1])
    case .binary(.maximum), .binary(.minimum): node.operands[0] == node.operands[1] ? node.operands[0] : nil
    default: nil
    }
  }

  /// What `value` is the negative of, where it is computed as one.
  private func negated(_ value: ValueID) -> ValueID? {
    if case .unary(.negate) = operation(value) { operand(value) } else { nil }
  }

  private mutating func simplifyNegation(_ node: Node) throws -> ValueID? {
    let x = node.operands[0]
    if let inner = negated(x) { return inner }
    let factors = rewriter.result[x].operands
    if case .binary(.subtract) = operation(x) {
      return try build(.binary(.subtract), factors.reversed(), like: node)
    }
    if case .binary(.multiply) = operation(x), let factor = constant(factors[1]) {
      return try scaled(factors[0], by: -factor, like: node)
    }
    return nil
  }

  private mutating func simplifySum(_ node: Node, _ x: ValueID, _ y: ValueID) throws -> ValueID? {
    if constant(x) == 0 { return y }
    if constant(y) == 0 { return x }
    if let y = negated(y) { return try build(.binary(.subtract), [x, y], like: node) }
    if let x = negated(x) { return try build(.binary(.subtract), [y, x], like: node) }
    if constant(x) != nil { return try build(.binary(.add), [y, x], like: node) }
    if x == y { return try scaled(x, by: 2, like: node) }
    // (y + z) + y and (z + y) + y are z + 2y.
    if case .binary(.add) = operation(x), let index = rewriter.result[x].operands.firstIndex(of: y) {
      let twice = try scaled(y, by: 2, like: node)
      return try build(.binary(.add), [rewriter.result[x].operands[1 - index], twice], like: node)
    }
    return nil
  }

  private mutating func simplifyDifference(_ node: Node, _ x: ValueID, _ y: ValueID) throws -> ValueID? {
    if constant(y) == 0 { return x }
    if constant(x) == 0 { return try build(.unary(.negate), [y], like: node) }
    if let y = negated(y) { return try build(.binary(.add), [x, y], like: node) }
    return nil
  }

  private mutating func simplifyProduct(_ node: Node, _ x: ValueID, _ y: ValueID) throws -> ValueID? {
    guard let factor = constant(y) else {
      if constant(x) != nil { return try build(.binary(.multiply), [y, x], like: node) }
      if let x = negated(x), let y = negated(y) { return try build(.binary(.multiply), [x, y], like: node) }
      return nil
    }
    if factor == 1 { return x }
    if factor == -1 { return try build(.unary(.negate), [x], like: node) }
    if let x = negated(x) { return try scaled(x, by: -factor, like: node) }
    if case .binary(.multiply) = operation(x), let inner = constant(rewriter.result[x].operands[1]) {
      let product = inner * factor
      // Two factors whose product cannot be represented have to be applied one after the other.
      guard product.isNormal else { return nil }
      return try scaled(operand(x), by: product, like: node)
    }
    return try scaleRepeatedOperand(node, x, factor)
  }

  /// A number times a product of which one side is repeated: the fewer numbers are multiplied.
  private mutating func scaleRepeatedOperand(_ node: Node, _ product: ValueID, _ factor: Float) throws -> ValueID? {
    guard case .binary(.multiply) = operation(product) else { return nil }
    let sides = rewriter.result[product].operands
    guard let index = sides.firstIndex(where: { if case .broadcast = operation($0) { true } else { false } }) else { return nil }
    let few = try scaled(operand(sides[index]), by: factor, like: node)
    let many = try build(.broadcast(shape: node.type.shape), [few], like: node)
    return try build(.binary(.multiply), [sides[1 - index], many], like: node)
  }

  private mutating func simplifyQuotient(_ node: Node, _ x: ValueID, _ y: ValueID) throws -> ValueID? {
    guard let divisor = constant(y) else { return nil }
    if divisor == 1 { return x }
    // Multiplying by the reciprocal is exact where that is a power of two.
    let reciprocal = 1 / divisor
    guard divisor.significand == 1, reciprocal.isNormal else { return nil }
    return try scaled(x, by: reciprocal, like: node)
  }

  /// `x` times `factor`.
  private mutating func scaled(_ x: ValueID, by factor: Float, like node: Node) throws -> ValueID {
    let factor = try constant(factor, shape(x), like: node)
    return try build(.binary(.multiply), [x, factor], like: node)
  }
}

extension Simplifier {
  /// Functions of repeated elements are computed once and then repeated.
  mutating func hoistAboveBroadcast(_ node: Node) throws -> ValueID? {
    switch node.operation {
    case .unary, .binary: break
    default: return nil
    }
    let sources = node.operands.map { value -> ValueID? in
      if case .broadcast = operation(value) { operand(value) } else { nil }
    }
    var joint: Shape = []
    for (value, source) in zip(node.operands, sources) {
      guard let shape = source.map({ shape($0) }) ?? (constant(value) == nil ? nil : []), let both = joint.broadcast(with: shape)
      else { return nil }
      joint = both
    }
    guard joint.count < node.type.shape.count else { return nil }
    var operands: [ValueID] = []
    for (value, source) in zip(node.operands, sources) {
      let small = try source ?? constant(constant(value) ?? 0, [], like: node)
      operands.append(try build(.broadcast(shape: joint), [small], like: node))
    }
    let result = try build(node.operation, operands, like: node)
    return try build(.broadcast(shape: node.type.shape), [result], like: node)
  }
}
