import Foundation
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
    let together = try evaluate(.scatterAdd(rows: 3), [([1, 2, 2, 1], [1, 2, 4, 8]), ([1, 2, 2], [2, 0, 2, 1])])
    #expect(together.elements == [2, 8, 5] && together.shape == [1, 3, 1])
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

  @Test func finerIndicesGoQuarterByQuarter() throws {
    let places = try evaluate(.finerIndices(grid: 2, side: 2), [([1, 2], [3, 0])])
    // Cell (1, 1) has rows and columns 2 and 3 of a grid of 4, down before across.
    #expect(places.elements == [10, 14, 11, 15, 0, 4, 1, 5])
    let quarters = try evaluate(.finerIndices(grid: 1, side: 4), [([1, 1], [0])]).elements
    #expect(quarters == [0, 4, 1, 5, 8, 12, 9, 13, 2, 6, 3, 7, 10, 14, 11, 15])
    #expect(throws: GraphError.self) { try evaluate(.finerIndices(grid: 2, side: 2), [([1, 1], [4])]) }
  }

  @Test func windowGroupsAreSortedByWindow() throws {
    // Windows of 2 shifted by 1 on a grid of 3 begin at -1 and 1.
    let cut = WindowCut(grid: 3, window: 2, shift: 1)
    let table = try evaluate(.windowGroups(cut), [([1, 5], [8, 0, 4, 2, 5])])
    #expect(table.shape == [1, 3, 5])
    // Place 0 alone, place 2 alone in the window to its right, then 8, 4 and 5 in the order they stand in.
    #expect(Array(table.elements[..<5]) == [1, 3, 0, 2, 4])
    #expect(Array(table.elements[5..<10]) == [1, 2, 5, 5, 5])
    #expect(Array(table.elements[10...]) == [4, 4, 4, 0, 1].map(Double.init))
  }

  /// Swin's own words: tokens rolled by the shift, cut into windows, and kept from looking across the regions that the roll leaves.
  @Test(arguments: [(8, 4, 2), (6, 3, 1), (14, 7, 3), (5, 5, 0)]) func windowsAreThoseOfTheCyclicShift(
    grid: Int, window: Int, shift: Int
  ) {
    let cut = WindowCut(grid: grid, window: window, shift: shift)
    func region(_ place: Int) -> [Int] {
      [place / grid, place % grid].flatMap { line in
        let rolled = (line - shift + grid) % grid
        return [rolled / window, rolled < grid - window ? 0 : rolled < grid - shift ? 1 : 2]
      }
    }
    for place in 0..<grid * grid {
      for other in 0..<grid * grid {
        #expect((cut.window(of: place) == cut.window(of: other)) == (region(place) == region(other)), "\(place), \(other)")
      }
    }
  }

  @Test func attentionStaysWithinGroups() throws {
    // Two groups of one token and of two; a lone token takes its own value, whatever its bias is.
    let tokens: (Shape, [Double]) = ([1, 3, 1], [0, 0, 0])
    let values: (Shape, [Double]) = ([1, 3, 1], [1, 2, 4])
    let groups: (Shape, [Double]) = ([1, 3, 3], [1, 0, 2, 1, 3, 3, 0, 0, 1])
    var biases = [Double](repeating: 0, count: 9)
    biases[3] = log(3)
    let result = try evaluate(.groupAttention(heads: 1), [tokens, tokens, values, ([9, 1], biases), groups])
    // Token 0 looks at token 2, one column further, by a bias of log 3.
    #expect(relativeError(result.elements, [(1 + 3 * 4) / 4, 2, 2.5]) < 1e-12)
    #expect(throws: GraphError.self) {
      try evaluate(
        .groupAttention(heads: 1), [tokens, tokens, values, ([9, 1], biases), ([1, 3, 3], [1, 1, 2, 1, 3, 3, 0, 0, 1])])
    }
  }

  @Test func expectedPairsAreThoseOfManyMasks() {
    var generator = SeededGenerator(seed: 5)
    for (grid, window, shift, side, units) in [(14, 7, 3, 2, 12), (12, 4, 0, 4, 5), (10, 5, 2, 1, 37), (8, 8, 0, 8, 1)] {
      let cut = WindowCut(grid: grid, window: window, shift: shift)
      let cells = grid / side
      let pairs = (0..<400).reduce(0) { sum, _ in
        let drawn = (0..<cells * cells).shuffled(using: &generator).prefix(units)
        let tokens = drawn.flatMap { cell in
          (0..<side * side).map { (cell / cells * side + $0 / side) * grid + cell % cells * side + $0 % side }
        }
        return sum + Dictionary(grouping: tokens, by: cut.window).values.reduce(0) { $0 + $1.count * $1.count }
      }
      let mean = Double(pairs) / 400
      #expect(abs(Double(cut.expectedPairs(visible: units * side * side, side: side)) - mean) < 0.02 * mean + 1, "\(cut)")
    }
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
