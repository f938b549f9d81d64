import Testing
import WaMIMManifest
import WaMIMRuntime

@Suite("Batches of labelled images") struct BatchFinishTests {
  /// What batches hold: the inputs and the targets of each, put together where they come in portions.
  private struct Batches: Equatable {
    var images: [[Float]] = []
    var targets: [[Float]] = []
  }

  private static let everything = Recipe {
    ($0.randAugment, $0.randomErasing, $0.mixup, $0.cutmix, $0.labelSmoothing) = (9, 0.5, 0.8, 1, 0.1)
    $0.jitterBrightness = 0.4
  }

  private static let classes = 5

  private func batches(
    _ recipe: Recipe, source: (any ImageSource)? = nil, steps: Range<Int> = 0..<4, threads: Int = 2, portion: Int = 4,
    accumulation: Int = 1
  ) throws -> Batches {
    let source = try source ?? SyntheticImages(count: 26, seed: 2, width: 30, height: 20).labelled(classes: Self.classes)
    let augmentation = Augmentation(recipe: recipe, width: 16, height: 16, channels: 3)
    let staging = TestStaging(
      slots: Manifest.waitingBatches * 4 / portion, samples: portion, augmentation: augmentation, classes: Self.classes)
    let loader = try BatchLoader(
      source: source, order: EpochOrder(images: source.count, batch: 4 * accumulation, seed: 9), staging: staging,
      augmentation: augmentation, steps: steps, threads: threads, samplesPerBatch: 4)
    defer { loader.stop() }
    var result = Batches()
    for _ in 0..<steps.count * accumulation {
      var (images, targets): ([Float], [Float]) = ([], [])
      for _ in 0..<4 / portion {
        _ = try loader.next()
        images += staging.input
        targets += staging.targets
      }
      result.images.append(images)
      result.targets.append(targets)
    }
    return result
  }

  @Test("They are the same for any number of threads, cut into portions or not, and wherever loading starts")
  func sameBits() throws {
    let expected = try batches(Self.everything, threads: 1)
    #expect(Set(expected.images).count == 4)
    for (threads, portion) in [(4, 4), (4, 2), (1, 1), (3, 1)] {
      #expect(
        try batches(Self.everything, threads: threads, portion: portion) == expected, "\(threads) threads, portions of \(portion)")
    }
    let later = try batches(Self.everything, steps: 2..<4, threads: 4, portion: 2)
    #expect(later.images == Array(expected.images[2...]) && later.targets == Array(expected.targets[2...]))
  }

  @Test("Several batches a step are mixed one by one")
  func accumulation() throws {
    let whole = try batches(Self.everything, steps: 0..<2, portion: 4, accumulation: 2)
    #expect(whole.images.count == 4)
    #expect(try batches(Self.everything, steps: 0..<2, threads: 4, portion: 2, accumulation: 2) == whole)
  }

  @Test("Mixed images and targets are what the formulas make of plain ones")
  func mixing() throws {
    let plain = try batches(Recipe { $0.randomErasing = 0.5 }, steps: 0..<12)
    var cuts = 0
    let mixed = try batches(
      Recipe { ($0.randomErasing, $0.mixup, $0.cutmix, $0.labelSmoothing) = (0.5, 0.8, 1, 0.1) }, steps: 0..<12, portion: 2)
    for batch in 0..<12 {
      let numbers = RandomNumbers(seed: 9, purpose: .mixing, UInt64(batch))
      let mixture = try #require(Mixture(mixup: 0.8, cutmix: 1, width: 16, height: 16, numbers: numbers))
      let (own, share) = (plain.images[batch], Float(mixture.share))
      let count = own.count / 4
      let expected = own.indices.map { index -> Float in
        let partner = own[(3 - index / count) * count + index % count]
        guard let box = mixture.box else { return share * own[index] + Float(1 - mixture.share) * partner }
        let (x, y) = (index % 16, index / 16 % 16)
        return (box.x..<box.x + box.width).contains(x) && (box.y..<box.y + box.height).contains(y) ? partner : own[index]
      }
      #expect(mixed.images[batch] == expected)
      cuts += mixture.box == nil ? 0 : 1
      let soft = plain.targets[batch].map { 0.9 * $0 + 0.1 / Float(Self.classes) }
      for (index, value) in mixed.targets[batch].enumerated() {
        let partner = soft[(3 - index / Self.classes) * Self.classes + index % Self.classes]
        #expect(abs(value - (share * soft[index] + (1 - share) * partner)) < 1e-6)
      }
    }
    #expect(cuts > 1 && cuts < 11)
  }

  @Test("Smoothed and mixed targets are the reference's")
  func targets() {
    let augmentation = Augmentation(recipe: Recipe { $0.labelSmoothing = 0.1 }, width: 4, height: 4, channels: 3)
    let finisher = SampleFinisher(augmentation, normalization: Normalization(augmentation.recipe, channels: 3))
    func row(_ own: Int, _ partner: Int, weight: Float = 1, scale: Float = 1) -> [Float] {
      var row = [Float](repeating: 7, count: 4)
      row.withUnsafeMutableBufferPointer {
        finisher.writeTarget(
          Label(category: own, weight: weight), mixedWith: Label(category: partner, weight: 9), by: Mixture(share: 0.3),
          scale: scale, to: $0)
      }
      return row
    }
    func isClose(_ values: [Float], _ expected: [Float]) -> Bool { zip(values, expected).allSatisfy { abs($0 - $1) < 1e-6 } }
    #expect(isClose(row(0, 1), [0.295, 0.655, 0.025, 0.025]))
    #expect(isClose(row(2, 2), [0.025, 0.025, 0.925, 0.025]))
    #expect(isClose(row(1, 0), [0.655, 0.295, 0.025, 0.025]))
    #expect(isClose(row(0, 1, weight: 2, scale: 0.5), [0.295, 0.655, 0.025, 0.025]))
  }

  @Test("Weights are relative to the sum of the batch, so that its loss is a weighted mean", arguments: [4, 2, 1])
  func weights(portion: Int) throws {
    let source = Weighted(weights: [0, 0.5, 1, 2, 4])
    let result = try batches(Recipe(), source: source, steps: 0..<6, threads: 3, portion: portion)
    for targets in result.targets {
      let rows = (0..<4).map { targets[$0 * Self.classes..<($0 + 1) * Self.classes].reduce(0, +) }
      #expect(abs(rows.reduce(0, +) - 4) < 1e-5)
      let chosen = (0..<4).map { row in targets[row * Self.classes..<(row + 1) * Self.classes].firstIndex { $0 > 0 } ?? 0 }
      let weights = chosen.map { source.weights[$0 % Self.classes] }
      let sum = weights.reduce(0, +)
      for (row, weight) in zip(rows, weights) { #expect(abs(row - weight * 4 / sum) < 1e-5) }
    }
  }

  @Test("Odd batches cannot be mixed, and say so")
  func oddBatch() throws {
    let augmentation = Augmentation(recipe: Recipe { $0.mixup = 0.8 }, width: 16, height: 16, channels: 3)
    let source = try SyntheticImages(count: 26, seed: 2, width: 30, height: 20).labelled(classes: 3)
    let error = #expect(throws: TrainerError.self) {
      try BatchLoader(
        source: source, order: EpochOrder(images: 26, batch: 3, seed: 0),
        staging: TestStaging(slots: 2, samples: 3, augmentation: augmentation),
        augmentation: augmentation, steps: 0..<1, threads: 1)
    }
    #expect(error?.message.contains("even") == true)
  }

  @Test("In the complete order each image comes once, in order, and what cannot be read is left out", arguments: [1, 4])
  func completeOrder(threads: Int) throws {
    let source = Weighted(weights: [1, 1, 1, 1, 1], damaged: [3, 8])
    let augmentation = Augmentation(recipe: Recipe(), width: 4, height: 4, channels: 3).forEvaluation
    let staging = TestStaging(slots: 3, samples: 4, augmentation: augmentation, classes: 5)
    let order = EpochOrder(allOf: source.count, batch: 4)
    #expect(order.stepsPerEpoch == 3)
    let unreadable = UnreadableImages()
    let loader = try BatchLoader(
      source: source, order: order, staging: staging, augmentation: augmentation, steps: 0..<3, threads: threads,
      unreadable: unreadable)
    defer { loader.stop() }
    var seen: [Int] = []
    for step in 0..<3 {
      _ = try loader.next()
      for sample in 0..<4 where step * 4 + sample < source.count && !unreadable.contains(step * 4 + sample) {
        seen.append(step * 4 + sample)
        // The first pixel tells the image, as the row of the target does.
        let byte = Normalization(Recipe(), channels: 3).byte(staging.input[sample * 48], channel: 0)
        #expect(byte == UInt8(10 * (step * 4 + sample)))
        #expect(staging.targets[sample * 5 + (step * 4 + sample) % 5] == 1)
      }
    }
    #expect(seen == [0, 1, 2, 4, 5, 6, 7, 9])
  }
}

/// Images whose class goes round and round, and whose weight is their class's.
private struct Weighted: ImageSource {
  let weights: [Float]
  var damaged: Set<Int> = []

  var count: Int { 10 }
  var isWeighted: Bool { true }
  func name(at index: Int) -> String { "image \(index)" }
  func label(at index: Int) -> Label? { Label(category: index % weights.count, weight: weights[index % weights.count]) }

  func load(at index: Int) throws(TrainerError) -> LoadedImage {
    if damaged.contains(index) { throw TrainerError("damaged on purpose") }
    return .pixels(Image(width: 20, height: 20, channels: 1, filledWith: UInt8(index * 10)))
  }
}
