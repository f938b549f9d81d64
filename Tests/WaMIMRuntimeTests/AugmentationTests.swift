import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

@Suite("Augmentation") struct AugmentationTests {
  /// What Pillow and timm make of `resized-whole-24x20.png`, one picture below the other; see Tests/Python/augmentation_fixtures.py.
  private let expected: [Image]
  private let source: Image
  private let operations = RandAugment(count: 2, magnitude: 9, deviation: 0.5, fill: [124, 116, 104])

  init() throws {
    let source = try Image(decoding: try fixture("resized-whole-24x20.png"))
    self.source = source
    let sheet = try Image(decoding: try fixture("augmented.png"))
    let bytes = source.pixels.count
    expected = (0..<sheet.height / source.height).map {
      Image(width: source.width, height: source.height, channels: 3, pixels: Array(sheet.pixels[$0 * bytes..<($0 + 1) * bytes]))
    }
  }

  /// The largest difference of two images, in levels of 255.
  private func difference(_ first: Image, _ second: Image) -> Int {
    guard first.pixels.count == second.pixels.count else { return .max }
    return zip(first.pixels, second.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
  }

  @Test("RandAugment's operations are Pillow's and timm's", arguments: RandAugment.Operation.allCases)
  func operation(_ operation: RandAugment.Operation) throws {
    let number = try #require(RandAugment.Operation.allCases.firstIndex(of: operation))
    for (index, (magnitude, sign)) in [(9.0, 1.0), (5.3, -1)].enumerated() {
      let result = operations.apply(RandAugment.Draw(operation, magnitude: magnitude, sign: sign), to: source)
      #expect(result != source)
      #expect(difference(result, expected[2 * number + index]) <= 1, "magnitude \(magnitude)")
    }
  }

  @Test("Shifts of hues are Pillow's in 8 bits, and so are turns with a shift")
  func hues() {
    #expect(difference(source.withHue(shiftedBy: 0.1), expected[30]) <= 1)
    #expect(difference(source.withHue(shiftedBy: -0.3), expected[31]) <= 1)
    func turned(_ degrees: Double, _ shift: SIMD2<Double>) -> Image {
      AffineMap.rotation(degrees: degrees, width: source.width, height: source.height, shift: shift)
        .applied(to: source, fill: [124, 116, 104])
    }
    #expect(difference(turned(3, .zero), expected[32]) <= 1)
    #expect(difference(turned(-20, SIMD2(1.5, -0.75)), expected[33]) <= 1)
    #expect(turned(0, .zero) == source)
  }

  @Test("Flips and quarter turns exchange pixels, and undo each other")
  func turns() {
    #expect(source.flippedVertically() == Augmentation.flipped(source).turned(quarters: 2))
    for quarters in 1...3 { #expect(source.turned(quarters: quarters).turned(quarters: 4 - quarters) == source) }
    let turned = source.turned(quarters: 1)
    #expect((turned.width, turned.height) == (source.height, source.width))
    // Against the clock: what is on the right comes to the top.
    #expect(turned.pixels[..<3] == source.pixels[3 * (source.width - 1)..<3 * source.width])
  }

  @Test("Images to evaluate on are resized and cut as torchvision does it")
  func view() throws {
    let image = try Image(decoding: try fixture("source.png"))
    let augmentation = Augmentation(recipe: Recipe(), width: 16, height: 16, channels: 3)
    let expected = try Image(decoding: try fixture("view-16x16.png"))
    #expect(difference(try augmentation.centerCrop(.pixels(image), resize: 19), expected) <= 1)
    #expect(difference(try augmentation.centerCrop(.pixels(image), resize: nil), expected) > 1)
    for (width, height) in [(1, 1), (7, 900), (3000, 40), (16, 16)] {
      let result = try augmentation.centerCrop(
        .pixels(Image(width: width, height: height, channels: 1, filledWith: 7)), resize: nil)
      #expect(result == Image(width: 16, height: 16, channels: 3, filledWith: 7))
    }
  }

  @Test("Every augmentation keeps an image's size, in colour and in grey", arguments: [1, 3])
  func everything(channels: Int) throws {
    let recipe = Recipe {
      ($0.verticalFlip, $0.quarterTurns, $0.rotate, $0.translate) = (true, true, 10, 0.1)
      ($0.randAugment, $0.randAugmentOperations) = (9, 15)
      ($0.jitterBrightness, $0.jitterContrast, $0.jitterSaturation, $0.jitterHue) = (0.4, 0.4, 0.4, 0.1)
      ($0.mean, $0.standardDeviation) = (Array(repeating: 0.5, count: channels), Array(repeating: 0.5, count: channels))
    }
    let augmentation = Augmentation(recipe: recipe, width: 18, height: 18, channels: channels)
    var results: Set<[UInt8]> = []
    for index in 0..<20 {
      let numbers = RandomNumbers(seed: 1, purpose: .augmentation, UInt64(index))
      let result = try augmentation.sample(.pixels(source), numbers: numbers)
      #expect((result.width, result.height, result.channels) == (18, 18, channels) && result.pixels.count == 18 * 18 * channels)
      #expect(try augmentation.sample(.pixels(source), numbers: numbers) == result)
      results.insert(result.pixels)
    }
    #expect(results.count == 20)
    #expect(
      try augmentation.forEvaluation.sample(.pixels(source), numbers: RandomNumbers(seed: 1, purpose: .augmentation))
        == augmentation.centerCrop(.pixels(source)))
  }

  // MARK: Distributions

  /// Whether counts may come from `shares`, by a chi-square test with a chance of about one in ten thousand to say no wrongly.
  private func fits(_ counts: [Int], _ shares: [Double]) -> Bool {
    let total = Double(counts.reduce(0, +))
    let statistic = zip(counts, shares).reduce(0.0) { sum, pair in
      let expected = pair.1 * total
      return sum + (Double(pair.0) - expected) * (Double(pair.0) - expected) / expected
    }
    let freedom = Double(counts.count - 1)
    // The approximation of Wilson and Hilferty.
    let root = 1 - 2 / (9 * freedom) + 3.72 * (2 / (9 * freedom)).squareRoot()
    return statistic < freedom * root * root * root
  }

  /// How many of `values` lie in each of `bins` equal ranges of `range`.
  private func counts(_ values: [Double], _ range: ClosedRange<Double>, bins: Int) -> [Int] {
    values.reduce(into: Array(repeating: 0, count: bins)) {
      let share = ($1 - range.lowerBound) / (range.upperBound - range.lowerBound)
      $0[max(0, min(bins - 1, Int(share * Double(bins))))] += 1
    }
  }

  private func uniform(_ count: Int) -> [Double] { Array(repeating: 1 / Double(count), count: count) }

  @Test("RandAugment draws all operations equally often, half of them in vain, at normal magnitudes")
  func drawDistribution() {
    var numbers = RandomNumbers(seed: 5, purpose: .augmentation)
    let draws = (0..<30_000).flatMap { _ in RandAugment(count: 2, magnitude: 8, deviation: 0.5, fill: []).draws(&numbers) }
    #expect(fits([draws.count, 60_000 - draws.count], uniform(2)))
    let all = RandAugment.Operation.allCases
    #expect(fits(all.map { operation in draws.count { $0.operation == operation } }, uniform(all.count)))
    #expect(fits([draws.count { $0.sign > 0 }, draws.count { $0.sign < 0 }], uniform(2)))
    let edges = [-Double.infinity, -1, -0.5, 0, 0.5, 1, .infinity].map { 8 + 0.5 * $0 }
    let bins = zip(edges, edges.dropFirst()).map { low, high in draws.count { $0.magnitude >= low && $0.magnitude < high } }
    #expect(fits(bins, [0.158655, 0.149882, 0.191462, 0.191462, 0.149882, 0.158655]))
    let limited = (0..<2000).flatMap { _ in RandAugment(count: 1, magnitude: 10, deviation: 2, fill: []).draws(&numbers) }
    #expect(limited.allSatisfy { (0...10).contains($0.magnitude) } && limited.contains { $0.magnitude == 10 })
  }

  @Test("Shares of mixing are beta distributed", arguments: [(0.8, 0.5), (0.8, 0.2), (1, 0.3), (0.2, 0.5), (3, 0.5)])
  func beta(alpha: Double, below: Double) {
    var numbers = RandomNumbers(seed: 6, purpose: .mixing)
    let values = (0..<40_000).map { _ in numbers.nextBeta(alpha) }
    #expect(values.allSatisfy { (0...1).contains($0) })
    // The share below a limit, by the density's integral in steps that shrink towards 0; its upper half follows by symmetry.
    let constant = tgamma(2 * alpha) / (tgamma(alpha) * tgamma(alpha))
    let steps = 20_000
    let share =
      (0..<steps).reduce(0.0) { sum, step in
        // x = t^(1/alpha) makes the density finite at 0.
        let t = (Double(step) + 0.5) / Double(steps) * pow(below, alpha)
        return sum + pow(1 - pow(t, 1 / alpha), alpha - 1) / alpha * pow(below, alpha) / Double(steps)
      } * constant
    #expect(fits([values.count { $0 < below }, values.count { $0 >= below }], [share, 1 - share]))
    if below < 0.5 {
      let bins = [values.count { $0 < below }, values.count { $0 >= below && $0 <= 1 - below }, values.count { $0 > 1 - below }]
      #expect(fits(bins, [share, 1 - 2 * share, share]))
    }
  }

  @Test(
    "Boxes of CutMix are those of the reference",
    arguments: [
      (224, 16, 0.544, 154, 11, 79, 6, 145, 10, 0.5954241071428572), (224, 32, 0.581, 214, 0, 142, 0, 82, 10, 0.8856026785714286),
      (33, 32, 0.551, 30, 12, 19, 2, 14, 20, 0.7348484848484849), (224, 224, 0.476, 220, 163, 139, 82, 85, 142, 0.7594467474489796),
      (16, 16, 0.635, 0, 12, 0, 8, 4, 8, 0.875), (16, 224, 0.159, 1, 151, 0, 49, 8, 175, 0.609375),
      (16, 32, 0.824, 15, 17, 12, 11, 4, 12, 0.90625), (224, 224, 0.92, 182, 99, 151, 68, 62, 62, 0.9233896683673469),
    ])
  func cutBoxes(
    width: Int, height: Int, share: Double, centerX: Int, centerY: Int, x: Int, y: Int, boxWidth: Int, boxHeight: Int, kept: Double
  ) {
    let mixture = Mixture(share: share, centerX: centerX, centerY: centerY, width: width, height: height)
    #expect(mixture.box == Resampling.Box(x: x, y: y, width: boxWidth, height: boxHeight))
    #expect(abs(mixture.share - kept) < 1e-12)
  }

  @Test("Half of the batches are blended where there are both ways, and boxes lie around uniform pixels")
  func mixtures() throws {
    var centers: [Double] = []
    var cuts = 0
    for batch in 0..<20_000 {
      let numbers = RandomNumbers(seed: 7, purpose: .mixing, UInt64(batch))
      let mixture = try #require(Mixture(mixup: 0.8, cutmix: 1, width: 64, height: 32, numbers: numbers))
      #expect(mixture.share >= 0 && mixture.share <= 1)
      guard let box = mixture.box else { continue }
      cuts += 1
      #expect(box.x >= 0 && box.y >= 0 && box.x + box.width <= 64 && box.y + box.height <= 32)
      if box.x > 0 && box.x + box.width < 64 && box.width <= 16 { centers.append(Double(box.x + box.width / 2)) }
      if Mixture(mixup: 0, cutmix: 0, width: 64, height: 32, numbers: numbers) != nil { Issue.record("mixed without a reason") }
    }
    #expect(fits([cuts, 20_000 - cuts], uniform(2)))
    // Small boxes that touch no side lie around the columns in the middle as often as around each other.
    centers = centers.filter { (9...55).contains($0) }
    #expect(centers.count > 300 && fits(counts(centers, 9...57, bins: 8), [6, 6, 6, 6, 6, 6, 6, 5].map { $0 / 47 }))
    let blended = Mixture(mixup: 0.8, cutmix: 0, width: 8, height: 8, numbers: RandomNumbers(seed: 0, purpose: .mixing))
    #expect(blended?.box == nil && blended != nil)
  }

  @Test("A quarter of the images is erased, in boxes whose areas are uniform and whose noise is normal")
  func erasing() throws {
    let (width, height) = (96, 80)
    let recipe = Recipe { $0.randomErasing = 0.25 }
    let augmentation = Augmentation(recipe: recipe, width: width, height: height, channels: 3)
    let erasures = (0..<20_000).compactMap { augmentation.erasure(numbers: RandomNumbers(seed: 8, purpose: .erasing, UInt64($0))) }
    #expect(fits([erasures.count, 20_000 - erasures.count], [0.25, 0.75]))
    for box in erasures.map(\.box) {
      #expect(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height)
      #expect(box.width < width && box.height < height)
    }
    let areas = erasures.map { Double($0.box.width * $0.box.height) / Double(width * height) }
    // Long boxes of large areas do not fit and are drawn anew, so only small areas are uniform.
    #expect(areas.allSatisfy { $0 > 0.015 && $0 < 0.345 })
    let small = areas.filter { $0 >= 0.03 && $0 < 0.15 }
    #expect(small.count > 1000 && fits(counts(small, 0.03...0.15, bins: 6), uniform(6)))
    #expect(try noise(of: erasures.prefix(40), augmentation))
    #expect(
      Augmentation(recipe: Recipe(), width: 8, height: 8, channels: 3).erasure(numbers: RandomNumbers(seed: 0, purpose: .erasing))
        == nil)
  }

  /// Whether what is in the boxes is standard normal, and what is outside of them is the image.
  private func noise(of erasures: ArraySlice<Erasure>, _ augmentation: Augmentation) throws -> Bool {
    let finisher = SampleFinisher(augmentation, normalization: Normalization(augmentation.recipe, channels: 3))
    let pixels = [UInt8](repeating: 200, count: 3 * augmentation.width * augmentation.height)
    var plain = [Float](repeating: 0, count: pixels.count)
    var bins = [Int](repeating: 0, count: 6)
    for (index, erasure) in ([nil] + erasures.map { Optional($0) }).enumerated() {
      var values = plain
      pixels.withUnsafeBufferPointer { pixels in
        values.withUnsafeMutableBufferPointer { finisher.write((pixels, erasure), mixedWith: nil, by: nil, to: $0) }
      }
      guard let erasure, index > 0 else {
        plain = values
        continue
      }
      for (position, value) in values.enumerated() {
        let (x, y) = (position % augmentation.width, position / augmentation.width % augmentation.height)
        let isInside =
          (erasure.box.x..<erasure.box.x + erasure.box.width).contains(x)
          && (erasure.box.y..<erasure.box.y + erasure.box.height).contains(y)
        guard isInside else {
          if value != plain[position] { return false }
          continue
        }
        bins[[-1, -0.5, 0, 0.5, 1].count { Double(value) >= $0 }] += 1
      }
    }
    return fits(bins, [0.158655, 0.149882, 0.191462, 0.191462, 0.149882, 0.158655])
  }
}
