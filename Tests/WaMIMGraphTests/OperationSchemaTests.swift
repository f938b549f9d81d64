import Testing
import WaMIMGraph

/// The table of operations against the enumeration that it describes.
@Suite struct OperationSchemaTests {
  /// An operation of each case.
  static let samples: [Operation] =
    [
      .input(name: "images", type: TensorType(.float32, [2, 3, 4, 4]), binding: .images),
      .parameter(name: "weight", shape: [2, 3], initializer: .normal(standardDeviation: 0.02)),
      .parameter(
        name: "slow", shape: [2, 3], initializer: .constant(1),
        group: ParameterGroup(rateScale: 0.25, decay: .never, isFrozen: true)),
      .input(name: "noise", type: TensorType(.float32, [2, 3]), binding: .random),
      .input(name: "rate", type: TensorType(.float32, []), binding: .hyperparameter("base_lr")),
      .state(name: "moment", shape: [2], role: .moment(order: 2, of: "weight")), .accumulator(name: "sum", shape: [2]),
      .constant(value: 0.5, shape: [3]),
      .positionTable(width: 8, grid: 3, classToken: true), .convert(to: .float32), .detach, .broadcast(shape: [2, 3]),
      .reshape(shape: [6]),
      .transpose(permutation: [1, 0]), .slice(axis: 1, start: 0, count: 2, step: 1), .pad(axis: 0, start: 1, extent: 9, step: 2),
      .concatenate(axis: 1), .matmul(transposeLeft: false, transposeRight: true), .attention(heads: 2),
      .attentionGradient(heads: 2, operand: .key), .groupAttention(heads: 2), .groupAttentionGradient(heads: 2, operand: .bias),
      .gather,
      .scatterAdd(rows: 5), .rank, .invertPermutation, .finerIndices(grid: 3, side: 2),
      .windowGroups(WindowCut(grid: 6, window: 3, shift: 1)),
    ] + Wavelet.allCases.flatMap { [.waveletAnalysis($0), .waveletAdjoint($0)] }
    + UnaryFunction.allCases.map { .unary($0) } + BinaryFunction.allCases.map { .binary($0) }
    + ReductionFunction.allCases.map { .reduce($0, axes: [0, 2]) }

  @Test("names and attributes give the operation again", arguments: samples)
  func roundTrip(operation: Operation) {
    #expect(Operation(name: operation.name, attributes: operation.attributes) == operation)
    let schema = OperationSchema.byName[operation.name]
    #expect(schema?.name == operation.name)
    #expect(schema?.attributes.count == operation.attributes.count)
  }

  @Test("the table lists each operation once, and no others")
  func complete() {
    #expect(Set(OperationSchema.all.map(\.name)) == Set(Self.samples.map(\.name)))
    #expect(OperationSchema.all.count == OperationSchema.byName.count)
  }

  @Test("labels are unique within an operation", arguments: OperationSchema.all)
  func labels(schema: OperationSchema) {
    let labels = schema.operands + schema.attributes.map(\.label)
    #expect(Set(labels).count == labels.count)
    #expect(!schema.summary.isEmpty)
  }
}
