import Testing
import WaMIMGraph

/// The types that operations give, and the operands that they refuse.
@Suite struct ResultTypeTests {
  private func float(_ dimensions: Int...) -> TensorType { TensorType(.float32, Shape(dimensions)) }
  private func integer(_ dimensions: Int...) -> TensorType { TensorType(.int32, Shape(dimensions)) }

  private func expect(
    _ operation: Operation, _ operands: [TensorType], gives type: TensorType, at location: Testing.SourceLocation = #_sourceLocation
  ) throws {
    #expect(try operation.resultType(of: operands) == type, sourceLocation: location)
  }

  private func refuses(
    _ operation: Operation, _ operands: [TensorType], at location: Testing.SourceLocation = #_sourceLocation
  ) {
    #expect(throws: GraphError.self, sourceLocation: location) { try operation.resultType(of: operands) }
  }

  @Test("movement keeps or refuses elements as the shapes say")
  func movement() throws {
    try expect(.broadcast(shape: [4, 2, 3]), [float(2, 1)], gives: float(4, 2, 3))
    refuses(.broadcast(shape: [2, 3]), [float(4, 2, 3)])
    try expect(.reshape(shape: [6]), [integer(2, 3)], gives: integer(6))
    refuses(.reshape(shape: [7]), [float(2, 3)])
    refuses(.reshape(shape: [-2, -3]), [float(2, 3)])
    try expect(.transpose(permutation: [2, 0, 1]), [float(2, 3, 4)], gives: float(4, 2, 3))
    refuses(.transpose(permutation: [0, 0]), [float(2, 3)])
    try expect(.concatenate(axis: 1), [float(2, 3), float(2, 1)], gives: float(2, 4))
    refuses(.concatenate(axis: 0), [float(2, 3), float(2, 1)])
    refuses(.concatenate(axis: 0), [])
  }

  @Test("a slice lies within its axis, and a pad around its operand, for all small numbers")
  func slices() throws {
    for start in -1...5 {
      for count in -1...5 {
        for step in -1...5 {
          let isWithin = start >= 0 && count >= 1 && step >= 1 && start + (count - 1) * step < 5
          let slice = Operation.slice(axis: 0, start: start, count: count, step: step)
          if isWithin { try expect(slice, [float(5)], gives: float(count)) } else { refuses(slice, [float(5)]) }
          guard count >= 1 else { continue }
          let pad = Operation.pad(axis: 0, start: start, extent: 5, step: step)
          if isWithin { try expect(pad, [float(count)], gives: float(5)) } else { refuses(pad, [float(count)]) }
        }
      }
    }
  }

  @Test("contractions fit at their inner extents")
  func contractions() throws {
    try expect(.matmul(transposeLeft: false, transposeRight: true), [float(5, 2, 3), float(4, 3)], gives: float(5, 2, 4))
    try expect(.matmul(transposeLeft: true, transposeRight: false), [float(5, 3, 2), float(5, 3, 4)], gives: float(5, 2, 4))
    refuses(.matmul(transposeLeft: false, transposeRight: false), [float(5, 2, 3), float(4, 3)])
    refuses(.matmul(transposeLeft: false, transposeRight: false), [float(5, 2, 3), float(4, 3, 2)])
    try expect(.attention(heads: 2), [float(2, 3, 8), float(2, 5, 8), float(2, 5, 8)], gives: float(2, 3, 8))
    refuses(.attention(heads: 3), [float(2, 3, 8), float(2, 5, 8), float(2, 5, 8)])
    refuses(.attention(heads: 0), [float(2, 3, 8), float(2, 5, 8), float(2, 5, 8)])
  }

  @Test("rows and indices belong to the same samples")
  func indices() throws {
    try expect(.gather, [float(2, 9, 4), integer(2, 3)], gives: float(2, 3, 4))
    try expect(.scatterAdd(rows: 9), [float(2, 3, 4), integer(2, 3)], gives: float(2, 9, 4))
    try expect(.scatterAdd(rows: 9), [float(2, 5, 3, 4), integer(2, 5, 3)], gives: float(2, 9, 4))
    refuses(.scatterAdd(rows: 9), [float(2, 5, 3, 4), integer(2, 3)])
    refuses(.scatterAdd(rows: 9), [float(2, 5, 3, 4), integer(2, 5, 4)])
    refuses(.scatterAdd(rows: 9), [float(1, 2, 5, 3, 4), integer(1, 2, 5, 3)])
    try expect(.rank, [float(2, 9)], gives: integer(2, 9))
    refuses(.gather, [float(2, 9, 4), float(2, 3)])
    refuses(.gather, [float(2, 9, 4), integer(1, 3)])
    refuses(.invertPermutation, [float(2, 9)])
    try expect(.waveletAnalysis(.haar), [float(2, 3, 8, 6)], gives: float(2, 3, 4, 4, 3))
    refuses(.waveletAnalysis(.haar), [float(2, 3, 8, 5)])
    refuses(.waveletAnalysis(.db4), [float(2, 3, 7, 8)])
    try expect(.waveletAdjoint(.bior44), [float(2, 3, 4, 4, 3)], gives: float(2, 3, 8, 6))
    refuses(.waveletAdjoint(.haar), [float(2, 3, 3, 4, 3)])
    refuses(.waveletAdjoint(.haar), [float(2, 12, 4, 3)])
  }

  @Test("groups are of places on a grid, and biases of the windows")
  func groups() throws {
    try expect(.finerIndices(grid: 3, side: 4), [integer(2, 5)], gives: integer(2, 80))
    refuses(.finerIndices(grid: 3, side: 3), [integer(2, 5)])
    refuses(.finerIndices(grid: 2, side: 2), [integer(2, 5)])
    refuses(.finerIndices(grid: 3, side: 2), [float(2, 5)])
    try expect(.windowGroups(WindowCut(grid: 4, window: 3, shift: 1)), [integer(2, 5)], gives: integer(2, 3, 5))
    for (grid, window, shift) in [(4, 5, 0), (4, 0, 0), (4, 3, 3), (4, 3, -1), (2, 2, 0)] {
      refuses(.windowGroups(WindowCut(grid: grid, window: window, shift: shift)), [integer(2, 5)])
    }
    let tokens = [float(2, 5, 8), float(2, 5, 8), float(2, 5, 8)]
    try expect(.groupAttention(heads: 2), tokens + [float(25, 2), integer(2, 3, 5)], gives: float(2, 5, 8))
    for operands in [[float(25, 4), integer(2, 3, 5)], [float(16, 2), integer(2, 3, 5)], [float(25, 2), integer(2, 3, 6)]] {
      refuses(.groupAttention(heads: 2), tokens + operands)
    }
    let operands = tokens + [float(25, 2), integer(2, 3, 5), float(2, 5, 8)]
    try expect(.groupAttentionGradient(heads: 2, operand: .key), operands, gives: float(2, 5, 8))
    try expect(.groupAttentionGradient(heads: 2, operand: .bias), operands, gives: float(2, 25, 2))
    refuses(.attentionGradient(heads: 2, operand: .bias), tokens + [float(2, 5, 8)])
  }

  @Test("no extents make inference trap", arguments: [0, -1, Int.max, Int.min, 1 << 36, 1 << 62])
  func extremes(number: Int) {
    for operation in OperationSchemaTests.samples {
      for type in [float(), float(1), float(2, 3, 4), integer(1, 1), float(1, 1 << 18, 1 << 18)] {
        let count = operation.schema.operands.count
        _ = try? operation.resultType(of: Array(repeating: type, count: count))
        for extreme in extremes(of: operation, number) { _ = try? extreme.resultType(of: Array(repeating: type, count: count)) }
      }
    }
  }

  /// `operation` with `number` instead of each of its integers.
  private func extremes(of operation: Operation, _ number: Int) -> [Operation] {
    operation.attributes.indices.compactMap { index in
      var attributes = operation.attributes
      switch attributes[index] {
      case .integer: attributes[index] = .integer(number)
      case .integers(let values): attributes[index] = .integers(values.map { _ in number })
      default: return nil
      }
      return Operation(name: operation.name, attributes: attributes)
    }
  }
}

/// What verification finds in graphs that were made by hand.
@Suite struct VerificationTests {
  private func graph(_ body: (GraphBuilder) -> Void) throws -> Graph {
    try Graph("test") { body($0) }
  }

  @Test("a value may only use values before it")
  func order() throws {
    var graph = try graph { _ = ($0.constant(1) + 2) * 3 }
    graph.nodes.swapAt(0, 2)
    #expect(throws: GraphError.self) { try graph.verify() }
    graph = Graph(name: "loop")
    _ = graph.append(Node(.detach, [ValueID(0)], type: TensorType(.float32, [])))
    #expect(throws: GraphError.self) { try graph.verify() }
  }

  @Test("types, names and roots are checked")
  func types() throws {
    var graph = try graph { $0.minimize(($0.parameter("weight", [3], .constant(0)) * 2).total()) }
    try graph.verify()
    var changed = graph
    changed.nodes[0].type.shape = [4]
    #expect(throws: GraphError.self) { try changed.verify() }
    changed = graph
    changed.nodes.append(graph.nodes[0])
    #expect(throws: GraphError.self) { try changed.verify() }
    changed = graph
    changed.loss = ValueID(0)
    #expect(throws: GraphError.self) { try changed.verify() }
    graph.outputs.append(.init(name: "far", value: ValueID(99)))
    #expect(throws: GraphError.self) { try graph.verify() }
  }

  @Test("operands that do not broadcast are named with both shapes and both locations")
  func notes() throws {
    let error = #expect(throws: GraphError.self) {
      try Graph("test") { builder in
        let left = builder.input("left", [2, 3], file: "a.swift", line: 1)
        let right = builder.input("right", [4, 3], file: "b.swift", line: 2)
        _ = left + right
      }
    }
    #expect(error?.message.contains("f32[2, 3] and f32[4, 3]") == true)
    #expect(error?.notes.compactMap(\.location?.file) == ["a.swift", "b.swift"])
  }
}
