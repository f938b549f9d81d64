import TestSupport
import Testing
import WaMIMGraph
import WaMIMInterpreter
import WaMIMLayers

/// The transforms' meaning: PyWavelets' numbers, and a convolution written out here from PyWavelets' own filters.
struct WaveletTests {
  /// PyWavelets' `dec_lo` and `dec_hi`, to eight digits.
  static let filters: [Wavelet: (low: [Double], high: [Double])] = [
    .haar: ([0.70710678, 0.70710678], [-0.70710678, 0.70710678]),
    .db2: ([-0.12940952, 0.22414387, 0.8365163, 0.48296291], [-0.48296291, 0.8365163, -0.22414387, -0.12940952]),
    .db4: (
      [-0.01059740, 0.03288301, 0.03084138, -0.18703481, -0.02798377, 0.63088077, 0.71484657, 0.23037781],
      [-0.23037781, 0.71484657, -0.63088077, -0.02798377, 0.18703481, 0.03084138, -0.03288301, -0.01059740]
    ),
    .sym4: (
      [-0.07576571, -0.02963553, 0.49761867, 0.80373875, 0.29785780, -0.09921954, -0.01260397, 0.03222310],
      [-0.03222310, -0.01260397, 0.09921954, 0.29785780, -0.80373875, 0.49761867, 0.02963553, -0.07576571]
    ),
    .bior22: (
      [0, -0.17677670, 0.35355339, 1.06066017, 0.35355339, -0.17677670], [0, 0.35355339, -0.70710678, 0.35355339, 0, 0]
    ),
    .bior44: (
      [
        0, 0.03782846, -0.02384947, -0.11062440, 0.37740286, 0.85269868, 0.37740286, -0.11062440, -0.02384947, 0.03782846,
      ],
      [0, -0.06453888, 0.04068942, 0.41809227, -0.78848562, 0.41809227, 0.04068942, -0.06453888, 0, 0]
    ),
  ]

  /// The matrix [count / 2, count] of a convolution with `filter`, of which every second number is kept, on a row that repeats.
  static func matrix(_ filter: [Double], count: Int) -> [[Double]] {
    (0..<count / 2).map { index in
      var row = [Double](repeating: 0, count: count)
      for (tap, weight) in filter.enumerated() {
        // As often as the filter goes around the row.
        row[(2 * index + filter.count / 2 - tap + 8 * count) % count] += weight
      }
      return row
    }
  }

  /// What a dense analysis makes of a picture: for each of LL, LH, HL and HH its numbers row by row.
  static func dense(_ picture: [Double], height: Int, width: Int, _ wavelet: Wavelet) throws -> [[Double]] {
    let (low, high) = try #require(filters[wavelet])
    return [(low, low), (high, low), (low, high), (high, high)].map { down, across in
      let (rows, columns) = (matrix(down, count: height), matrix(across, count: width))
      return rows.flatMap { row in
        columns.map { column in
          (0..<height).reduce(0) { sum, y in
            (0..<width).reduce(sum) { $0 + row[y] * column[$1] * picture[y * width + $1] }
          }
        }
      }
    }
  }

  @Test(arguments: Wavelet.allCases, [[2, 2], [4, 2], [2, 6], [6, 8], [10, 14], [16, 12]])
  func analysisIsAPeriodicConvolution(wavelet: Wavelet, extents: [Int]) throws {
    let (height, width) = (extents[0], extents[1])
    var generator = SeededGenerator(seed: UInt64(height * 100 + width))
    let pictures = (0..<6).map { _ in generator.numbers(height * width) }
    let bands = try evaluate(.waveletAnalysis(wavelet), [([2, 3, height, width], pictures.flatMap { $0 })])
    let expected = try pictures.flatMap { try Self.dense($0, height: height, width: width, wavelet).flatMap { $0 } }
    #expect(bands.shape == [2, 3, 4, height / 2, width / 2])
    #expect(relativeError(bands.elements, expected) < 1e-7)
  }

  @Test(arguments: Wavelet.allCases) func levelsAreThoseOfPyWavelets(wavelet: Wavelet) throws {
    var (height, width) = (WaveletFixture.height, WaveletFixture.width)
    var coarse = WaveletFixture.picture
    var details: [[Double]] = []
    for _ in 0..<WaveletFixture.levels {
      let bands = try evaluate(.waveletAnalysis(wavelet), [([1, 1, height, width], coarse)]).elements
      (height, width) = (height / 2, width / 2)
      coarse = Array(bands[..<(height * width)])
      details.append(Array(bands[(height * width)...]))
    }
    let found = coarse + details.reversed().flatMap { $0 }
    #expect(relativeError(found, try #require(WaveletFixture.coefficients[wavelet])) < 1e-10)
  }

  @Test("the layer's channels are colour-major, subband-minor, and its levels in the order asked for", arguments: Wavelet.allCases)
  func layer(wavelet: Wavelet) throws {
    let expected = try #require(WaveletFixture.coefficients[wavelet])
    let (height, width) = (WaveletFixture.height, WaveletFixture.width)
    let positions = [1: height * width / 4, 2: height * width / 16]
    for subbands in Subbands.allCases {
      let graph = try Graph("layer") { builder in
        let images = builder.input("images", [1, 2, height, width])
        for (index, bands) in images.wavelet(wavelet, levels: [2, 1], subbands: subbands).enumerated() {
          builder.output("\(2 - index)", bands)
        }
      }
      let images = WaveletFixture.picture + WaveletFixture.picture.map { -2 * $0 }
      let evaluation = try Interpreter(graph).evaluate(["images": images])
      for level in 1...2 {
        let count = positions[level, default: 0]
        let first = level == 2 ? count : 4 * positions[2, default: 0]
        var coefficients = Array(expected[first..<first + 3 * count])
        if subbands == .all {
          // The coarse picture of a level that is not the last one stands in no list of PyWavelets'.
          guard level == 2 else { continue }
          coefficients = expected[..<count] + coefficients
        }
        let found = try #require(evaluation["\(level)"])
        #expect(found.shape == [1, subbands == .all ? 8 : 6, height >> level, width >> level])
        #expect(relativeError(found.elements, coefficients + coefficients.map { -2 * $0 }) < 1e-10)
      }
    }
  }

  @Test(arguments: Wavelet.allCases, [[2, 2], [4, 10], [12, 6]])
  func adjointSharesInnerProducts(wavelet: Wavelet, extents: [Int]) throws {
    let (height, width) = (extents[0], extents[1])
    var generator = SeededGenerator(seed: 5)
    let (picture, bands) = (generator.numbers(2 * height * width), generator.numbers(2 * height * width))
    let taken = try evaluate(.waveletAnalysis(wavelet), [([1, 2, height, width], picture)])
    let given = try evaluate(.waveletAdjoint(wavelet), [([1, 2, 4, height / 2, width / 2], bands)])
    #expect(given.shape == [1, 2, height, width])
    let product = { (left: [Double], right: [Double]) in zip(left, right).reduce(0) { $0 + $1.0 * $1.1 } }
    #expect(abs(product(taken.elements, bands) - product(picture, given.elements)) < 1e-12)
    // An orthogonal analysis keeps lengths, and its adjoint undoes it.
    guard wavelet.analysis == wavelet.synthesis else { return }
    #expect(relativeError(try evaluate(.waveletAdjoint(wavelet), [(taken.shape, taken.elements)]).elements, picture) < 1e-14)
  }
}
