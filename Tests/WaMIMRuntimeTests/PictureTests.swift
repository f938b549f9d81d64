import TestSupport
import Testing
import WaMIMManifest
import WaMIMRuntime

@Suite("Pictures") struct PictureTests {
  @Test("A transform's inverse gives the image back, and an orthogonal one keeps its energy", arguments: Wavelet.allCases)
  func transforms(wavelet: Wavelet) {
    let transform = WaveletTransform(wavelet)
    for (height, width) in [(16, 24), (2, 2), (6, 4)] {
      let image = randomPlanes(channels: 3, height: height, width: width, seed: 1)
      let level = transform.analyze(image)
      #expect(largestDifference(transform.synthesize(level), image) < 2e-6)
      guard wavelet.analysis == wavelet.synthesis else { continue }
      let energy = { (planes: Planes) in planes.values.reduce(0) { $0 + $1 * $1 } }
      #expect(abs(energy(level.coarse) + energy(level.details) - energy(image)) < 1e-4 * energy(image))
    }
  }

  @Test("Coefficients are those that PyWavelets finds", arguments: Wavelet.allCases)
  func coefficients(wavelet: Wavelet) throws {
    let transform = WaveletTransform(wavelet)
    var coarse = Planes(
      channels: 1, height: WaveletFixture.height, width: WaveletFixture.width, values: WaveletFixture.picture.map { Float($0) })
    var details: [[Float]] = []
    for _ in 0..<WaveletFixture.levels {
      let level = transform.analyze(coarse)
      details.append(level.details.values)
      coarse = level.coarse
    }
    let expected = try #require(WaveletFixture.coefficients[wavelet])
    let found = coarse.values + details.reversed().flatMap { $0 }
    #expect(found.count == expected.count)
    for (found, expected) in zip(found, expected) { #expect(abs(Double(found) - expected) < 1e-5) }
  }

  @Test(
    "Predicting the targets themselves rebuilds the image",
    arguments: Wavelet.allCases,
    [(WaveletReconstruction.Normalization.none, 3), (.none, 4), (.subband, 3), (.subband, 4), (.token, 3), (.token, 4)])
  func perfectPrediction(wavelet: Wavelet, targets: (normalization: WaveletReconstruction.Normalization, subbands: Int))
    throws
  {
    let image = randomPlanes(channels: 3, height: 16, width: 16, seed: 2)
    let reconstruction = WaveletReconstruction(
      wavelet: wavelet, levels: [1, 2, 3], subbands: targets.subbands, normalization: targets.normalization)
    var predictions: [Planes] = []
    var coarse = image
    for _ in 1...3 {
      let level = WaveletTransform(wavelet).analyze(coarse)
      predictions.append(normalized(level, subbands: targets.subbands, by: targets.normalization))
      coarse = level.coarse
    }
    let mask = try #require(PatchMask([Float](repeating: 1, count: 16), height: 16, width: 16))
    #expect(largestDifference(reconstruction.rebuild(image, predictions: predictions, mask: mask), image) < 1e-4)
  }

  @Test(
    "Targets and predictions of a level are on one scale, the finest first",
    arguments: [WaveletReconstruction.Normalization.none, .subband, .token], [3, 4])
  func levels(normalization: WaveletReconstruction.Normalization, subbands: Int) {
    let image = randomPlanes(channels: 3, height: 16, width: 16, seed: 12)
    let transform = WaveletTransform(.sym4)
    let fine = transform.analyze(image)
    let coarse = transform.analyze(fine.coarse)
    let predictions = [coarse, fine].map { normalized($0, subbands: subbands, by: normalization) }
    let wavelet = WaveletReconstruction(wavelet: .sym4, levels: [2, 1], subbands: subbands, normalization: normalization)
    let details = wavelet.details(of: image, predictions: predictions)
    #expect(details.map(\.target) == [fine.details, coarse.details])
    for (target, prediction) in details { #expect(largestDifference(target, prediction) < 1e-4) }
  }

  @Test("Nothing of the hidden details comes through at a level that is not predicted")
  func unpredictedLevels() throws {
    let image = randomPlanes(channels: 1, height: 8, width: 8, seed: 3)
    var other = image
    // The same averages of 2 x 2 pixels, with other details.
    for row in 0..<4 {
      for column in 0..<4 {
        other[0, 2 * row, 2 * column] += 0.5
        other[0, 2 * row + 1, 2 * column + 1] -= 0.5
      }
    }
    let wavelet = WaveletReconstruction(wavelet: .haar, levels: [2], subbands: 3, normalization: .none)
    let prediction = randomPlanes(channels: 3, height: 2, width: 2, seed: 4)
    let mask = try #require(PatchMask([1, 1, 1, 1], height: 8, width: 8))
    let first = wavelet.rebuild(image, predictions: [prediction], mask: mask)
    let second = wavelet.rebuild(other, predictions: [prediction], mask: mask)
    #expect(largestDifference(first, second) < 1e-5)
    #expect(largestDifference(first, image) > 0.1)
  }

  @Test("The caption names everything that a picture takes from the input or leaves out")
  func captions() {
    func caption(_ levels: [Int], _ normalization: WaveletReconstruction.Normalization) -> String {
      WaveletReconstruction(wavelet: .haar, levels: levels, subbands: 3, normalization: normalization).explanation
    }
    #expect(
      caption([3, 1], .none)
        == "Hidden details are predicted at levels 1, 3, left out at level 2. Visible details and LL of level 3 are the input's.")
    #expect(caption([1, 2], .subband).hasSuffix("LL of level 2, and mean and deviation of each subband are the input's."))
    #expect(caption([1, 2], .token).hasSuffix("LL of level 2, and mean and deviation at each position are the input's."))
    #expect(
      PatchReconstruction(patch: 4, isNormalized: true).explanation.hasSuffix(
        "mean and deviation of each hidden one, are the input's."))
  }

  @Test("Visible positions stay the input's")
  func visible() throws {
    let image = randomPlanes(channels: 3, height: 8, width: 8, seed: 5)
    let wavelet = WaveletReconstruction(wavelet: .haar, levels: [1, 2], subbands: 3, normalization: .subband)
    let predictions = [
      randomPlanes(channels: 9, height: 4, width: 4, seed: 6), randomPlanes(channels: 9, height: 2, width: 2, seed: 7),
    ]
    let mask = try #require(PatchMask([0, 1, 1, 1], height: 8, width: 8))
    let result = wavelet.rebuild(image, predictions: predictions, mask: mask)
    for row in 0..<4 {
      for column in 0..<4 { #expect(abs(result[1, row, column] - image[1, row, column]) < 1e-5) }
    }
    #expect(abs(result[1, 6, 6] - image[1, 6, 6]) > 1e-3)
  }

  @Test("A coarse cell counts as hidden where more than half of its patches are, and fine cells repeat their patch")
  func masks() throws {
    let mask = try #require(PatchMask([1, 0, 1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0], height: 32, width: 32))
    #expect((mask.rows, mask.columns) == (4, 4))
    #expect(!mask.isHidden(row: 0, column: 0, height: 2, width: 2))
    #expect(mask.isHidden(row: 0, column: 1, height: 2, width: 2))
    #expect(!mask.isHidden(row: 1, column: 1, height: 2, width: 2))
    #expect(mask.isHidden(row: 1, column: 1, height: 32, width: 32))
    #expect(!mask.isHidden(row: 7, column: 8, height: 32, width: 32))
    #expect(PatchMask([0, 1, 1], height: 32, width: 32) == nil)
  }

  @Test("Patches are pasted where they were hidden")
  func patches() throws {
    let image = randomPlanes(channels: 3, height: 8, width: 8, seed: 8)
    let mask = try #require(PatchMask([0, 1, 0, 0], height: 8, width: 8))
    var prediction = [Float](repeating: 0, count: 4 * 48)
    for element in 0..<48 { prediction[48 + element] = Float(element) }
    let result = PatchReconstruction(patch: 4, isNormalized: false).rebuild(image, prediction: prediction, mask: mask)
    #expect(result[0, 0, 0] == image[0, 0, 0])
    #expect(result[1, 2, 7] == Float(16 + 2 * 4 + 3))
  }

  private func normalized(
    _ level: WaveletTransform.Level, subbands: Int, by normalization: WaveletReconstruction.Normalization
  ) -> Planes {
    let (height, width) = (level.coarse.height, level.coarse.width)
    var planes = Planes(channels: subbands * level.coarse.channels, height: height, width: width)
    let positions = height * width
    for channel in 0..<planes.channels {
      for position in 0..<positions {
        let (color, subband) = (channel / subbands, channel % subbands - (subbands - 3))
        planes.values[channel * positions + position] =
          subband < 0
          ? level.coarse.values[color * positions + position] : level.details.values[(3 * color + subband) * positions + position]
      }
    }
    let sets: [[Int]]
    switch normalization {
    case .none: sets = []
    case .subband: sets = (0..<planes.channels).map { channel in (0..<positions).map { channel * positions + $0 } }
    case .token: sets = (0..<positions).map { position in (0..<planes.channels).map { $0 * positions + position } }
    }
    for set in sets {
      let mean = set.reduce(0) { $0 + planes.values[$1] } / Float(set.count)
      let variance = set.reduce(0) { $0 + (planes.values[$1] - mean) * (planes.values[$1] - mean) } / Float(set.count)
      for index in set { planes.values[index] = (planes.values[index] - mean) / (variance + 1e-6).squareRoot() }
    }
    return planes
  }

  private func randomPlanes(channels: Int, height: Int, width: Int, seed: UInt64) -> Planes {
    let numbers = RandomNumbers(seed: seed, purpose: .synthetic)
    return Planes(
      channels: channels, height: height, width: width,
      values: (0..<channels * height * width).map { numbers.uniform(at: UInt64($0)) * 2 - 1 })
  }

  private func largestDifference(_ a: Planes, _ b: Planes) -> Float {
    zip(a.values, b.values).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }
}
