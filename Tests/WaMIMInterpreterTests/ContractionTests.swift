import TestSupport
import Testing
import WaMIMGraph
import WaMIMInterpreter
import WaMIMLayers

struct ContractionTests {
  @Test func matmulTransposesEitherSide() throws {
    let (left, right): ([Double], [Double]) = ([1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12])
    let product = DenseTensor([2, 2], [58, 64, 139, 154])
    #expect(try evaluate(.matmul(transposeLeft: false, transposeRight: false), [([2, 3], left), ([3, 2], right)]) == product)
    let (leftColumns, rightColumns): ([Double], [Double]) = ([1, 4, 2, 5, 3, 6], [7, 9, 11, 8, 10, 12])
    #expect(
      try evaluate(.matmul(transposeLeft: true, transposeRight: false), [([3, 2], leftColumns), ([3, 2], right)]) == product)
    #expect(
      try evaluate(.matmul(transposeLeft: false, transposeRight: true), [([2, 3], left), ([2, 3], rightColumns)]) == product)
    #expect(
      try evaluate(.matmul(transposeLeft: true, transposeRight: true), [([3, 2], leftColumns), ([2, 3], rightColumns)]) == product)
  }

  @Test func matmulSharesARightMatrix() throws {
    let product = try evaluate(
      .matmul(transposeLeft: false, transposeRight: false), [([2, 1, 2], [1, 2, 3, 4]), ([2, 1], [5, 6])])
    #expect(product == DenseTensor([2, 1, 1], [17, 39]))
  }

  /// Attention is softmax of scaled scores times values, as the primitive operations compute it for one head at a time.
  @Test(arguments: [1, 2, 3]) func attentionIsSoftmaxOfScoresTimesValues(heads: Int) throws {
    var generator = SeededGenerator(seed: UInt64(heads))
    let (queries, keys, width) = (3, 5, 2)
    let graph = try Graph("attention") { builder in
      let q = builder.input("q", [2, queries, heads * width])
      let k = builder.input("k", [2, keys, heads * width])
      let v = builder.input("v", [2, keys, heads * width])
      builder.output("whole", builder.add(.attention(heads: heads), [q, k, v]))
      let slices = (0..<heads).map { head in
        let channels = head * width..<(head + 1) * width
        let scores = q.sliced(2, channels).matmul(k.sliced(2, channels), transposeRight: true) * (1 / Float(width).squareRoot())
        return scores.softmax().matmul(v.sliced(2, channels))
      }
      builder.output("slices", .concatenated(slices, axis: 2, in: builder))
    }
    let evaluation = try Interpreter(graph).evaluate(graph.randomSources(using: &generator))
    #expect(relativeError(evaluation["whole"]!.elements, evaluation["slices"]!.elements) < 1e-7)
  }
}
