import TestSupport
import Testing
import WaMIMGraph
import WaMIMInterpreter

/// Evaluates one operation on given operands.
func evaluate(_ operation: Operation, _ operands: [(Shape, [Double])]) throws -> DenseTensor {
  var result = ValueID(0)
  let graph = try Graph("one") { builder in
    let inputs = operands.enumerated().map { builder.input("x\($0)", $1.0, operation.takesIndices(at: $0) ? .int32 : .float32) }
    result = builder.add(operation, inputs).value
  }
  let sources = Dictionary(uniqueKeysWithValues: operands.enumerated().map { ("x\($0)", $1.1) })
  return try Interpreter(graph).evaluate(sources)[result]
}

extension Operation {
  fileprivate func takesIndices(at index: Int) -> Bool {
    switch self {
    case .convert, .invertPermutation, .finerIndices, .windowGroups: true
    case .gather, .scatterAdd: index == 1
    case .groupAttention: index == 4
    default: false
    }
  }
}

struct MovementTests {
  @Test func broadcastRepeatsAxesOfExtentOne() throws {
    #expect(try evaluate(.broadcast(shape: [2, 3]), [([2, 1], [1, 2])]).elements == [1, 1, 1, 2, 2, 2])
    #expect(try evaluate(.broadcast(shape: [2, 3]), [([3], [1, 2, 3])]).elements == [1, 2, 3, 1, 2, 3])
    #expect(try evaluate(.broadcast(shape: [2, 2]), [([], [7])]).elements == [7, 7, 7, 7])
  }

  @Test func transposeMovesAxes() throws {
    #expect(try evaluate(.transpose(permutation: [1, 0]), [([2, 3], [1, 2, 3, 4, 5, 6])]).elements == [1, 4, 2, 5, 3, 6])
  }

  @Test func padUndoesSliceAmongZeros() throws {
    let x: [Double] = [1, 2, 3, 4, 5, 6, 7, 8]
    let sliced = try evaluate(.slice(axis: 1, start: 1, count: 2, step: 2), [([2, 4], x)])
    #expect(sliced.elements == [2, 4, 6, 8])
    let padded = try evaluate(.pad(axis: 1, start: 1, extent: 4, step: 2), [(sliced.shape, sliced.elements)])
    #expect(padded.elements == [0, 2, 0, 4, 0, 6, 0, 8])
  }

  @Test func concatenateJoinsAlongAnAxis() throws {
    let joined = try evaluate(.concatenate(axis: 1), [([2, 1], [1, 2]), ([2, 2], [3, 4, 5, 6])])
    #expect(joined == DenseTensor([2, 3], [1, 3, 4, 2, 5, 6]))
  }

  @Test func reductionsLeaveExtentOne() throws {
    let x: [Double] = [1, 2, 3, 4, 5, 6]
    #expect(try evaluate(.reduce(.sum, axes: [0]), [([2, 3], x)]) == DenseTensor([1, 3], [5, 7, 9]))
    #expect(try evaluate(.reduce(.maximum, axes: [1]), [([2, 3], x)]) == DenseTensor([2, 1], [3, 6]))
    #expect(try evaluate(.reduce(.sum, axes: [0, 1]), [([2, 3], x)]) == DenseTensor([1, 1], [21]))
  }
}
