import TestSupport
import Testing
import WaMIMGraph
import WaMIMInterpreter

struct IndexedTests {
  @Test func gatherPicksRowsOfEachSample() throws {
    let rows: (Shape, [Double]) = ([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])
    let picked = try evaluate(.gather, [rows, ([2, 3], [1, 0, 1, 0, 0, 1])])
    #expect(picked == DenseTensor([2, 3, 2], [3, 4, 1, 2, 3, 4, 5, 6, 5, 6, 7, 8]))
  }

  @Test func scatterAddAddsUpRows() throws {
    let sums = try evaluate(.scatterAdd(rows: 3), [([1, 3, 1], [1, 2, 4]), ([1, 3], [2, 0, 2])])
    #expect(sums.elements == [2, 0, 5])
  }

  @Test func indicesOutsideTheRowsAreReported() {
    #expect(throws: GraphError.self) { try evaluate(.gather, [([1, 2, 1], [1, 2]), ([1, 1], [2])]) }
    #expect(throws: GraphError.self) { try evaluate(.invertPermutation, [([3], [0, 0, 1])]) }
  }

  @Test func rankIsStableAndInvertedByInvertPermutation() throws {
    #expect(try evaluate(.rank, [([4], [3, 1, 3, 0])]).elements == [2, 1, 3, 0])
    #expect(try evaluate(.invertPermutation, [([4], [2, 1, 3, 0])]).elements == [3, 1, 0, 2])
    #expect(try evaluate(.rank, [([2, 2], [2, 1, 1, 2])]).elements == [1, 0, 0, 1])
  }

  @Test func haarSubbandsAreOrthonormal() throws {
    let bands = try evaluate(.waveletAnalysis(.haar), [([1, 1, 2, 2], [1, 2, 3, 4])])
    #expect(bands.shape == [1, 1, 4, 1, 1])
    #expect(relativeError(bands.elements, [5, -2, -1, 0]) < 1e-15)
    var generator = SeededGenerator(seed: 3)
    let image = generator.numbers(2 * 3 * 4 * 6)
    let energy = try evaluate(.waveletAnalysis(.haar), [([2, 3, 4, 6], image)]).elements.reduce(0) { $0 + $1 * $1 }
    #expect(abs(energy - image.reduce(0) { $0 + $1 * $1 }) < 1e-12)
  }

  @Test func positionsLieInColumnThenRowSinesThenCosines() throws {
    let table = try evaluate(.positionTable(width: 8, grid: 2, classToken: true), [])
    #expect(table.elements[..<8] == [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(table.elements[8..<16] == [0, 0, 1, 1, 0, 0, 1, 1])
    // The second position of the first row: column 1, row 0; the frequencies are 1 and 1 / 100.
    let expected = [0.8414709848, 0.0099998333, 0.5403023059, 0.9999500004, 0, 0, 1, 1]
    #expect(relativeError(Array(table.elements[16..<24]), expected) < 1e-9)
  }
}
