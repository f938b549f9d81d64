import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

@Suite("Data") struct DataTests {
  @Test("An epoch shows each image at most once, and epochs differ")
  func order() {
    let order = EpochOrder(images: 103, batch: 10, seed: 1)
    #expect(order.stepsPerEpoch == 10)
    #expect(order.permutation(epoch: 3).sorted() == (0..<103).map { Int32($0) })
    #expect(order.permutation(epoch: 3) == order.permutation(epoch: 3))
    #expect(order.permutation(epoch: 3) != order.permutation(epoch: 4))
  }

  @Test("Few images are repeated to fill a batch")
  func repetition() {
    let order = EpochOrder(images: 3, batch: 8, seed: 1)
    #expect(order.stepsPerEpoch == 1)
    #expect(order.permutation(epoch: 0).count >= 8)
    #expect(order.permutation(epoch: 0)[..<3].sorted() == [0, 1, 2])
  }

  @Test("Batches do not depend on the number of loader threads, nor on where loading starts")
  func loaders() throws {
    let one = try batches(steps: 0..<7, threads: 1)
    #expect(try batches(steps: 0..<7, threads: 4) == one)
    #expect(try batches(steps: 4..<7, threads: 2) == Array(one[4...]))
    for portion in [1, 2] { #expect(try batches(steps: 2..<6, threads: 3, portion: portion) == Array(one[2..<6])) }
    #expect(Set(one.map { $0.hashValue }).count == 7)
  }

  @Test("Images that cannot be read are replaced, and where none can be the batch is an error")
  func damage() throws {
    let source = PartlyDamaged(count: 12, damaged: [0, 1, 5, 11])
    let batch = try batches(source: source, steps: 0..<6, threads: 2)
    #expect(try batches(source: source, steps: 0..<6, threads: 1) == batch)
    let none = PartlyDamaged(count: 5, damaged: [0, 1, 2, 3, 4])
    #expect(throws: TrainerError.self) { try batches(source: none, steps: 0..<1, threads: 3) }
  }

  @Test("Random crops lie inside the image, whatever its shape")
  func crops() {
    var numbers = RandomNumbers(seed: 6, purpose: .augmentation)
    for _ in 0..<5000 {
      let (width, height) = (1 + numbers.next(below: 300), 1 + numbers.next(below: 300))
      let box = Augmentation.randomBox(width: width, height: height, area: 0.2...1, aspect: 0.75...4 / 3, numbers: &numbers)
      #expect(box.width > 0 && box.height > 0 && box.x >= 0 && box.y >= 0)
      #expect(box.x + box.width <= width && box.y + box.height <= height)
    }
  }

  @Test("A centre crop of any image has the model's size", arguments: [(1, 1), (300, 20), (7, 500), (31, 33), (60_000, 1)])
  func centerCrop(width: Int, height: Int) throws {
    let augmentation = Augmentation(recipe: Recipe(), width: 32, height: 24, channels: 3)
    let result = try augmentation.centerCrop(.pixels(Image(width: width, height: height, channels: 1, filledWith: 9)))
    #expect(result == Image(width: 32, height: 24, channels: 3, filledWith: 9))
  }

  @Test("Flipping twice changes nothing")
  func flips() throws {
    let image = try Image(decoding: try fixture("source.png"))
    #expect(Augmentation.flipped(image) != image)
    #expect(Augmentation.flipped(Augmentation.flipped(image)) == image)
  }

  @Test("Normalising is undone by its inverse")
  func normalization() {
    let normalization = Normalization(Recipe(), channels: 3)
    let pixels = (0..<3 * 256).map { UInt8($0 / 3) }
    var values = [Float](repeating: 0, count: pixels.count)
    pixels.withUnsafeBufferPointer { pixels in
      values.withUnsafeMutableBufferPointer { normalization.apply(pixels, to: $0, channels: 3, positions: 256) }
    }
    #expect(abs(values[0] - Float(-0.485 / 0.229)) < 1e-6)
    for (index, value) in values.enumerated() {
      #expect(normalization.byte(value, channel: index / 256) == UInt8(index % 256))
    }
  }

  @Test("Synthetic images are the same for the same seed and number, and have structure")
  func synthetic() throws {
    let images = SyntheticImages(count: 10, seed: 3, width: 64, height: 64)
    let first = try images.image(at: 0)
    #expect(try images.image(at: 0) == first)
    #expect(try images.image(at: 1) != first)
    // Neighbouring pixels of a picture are alike, those of noise are not.
    let neighbours = zip(first.pixels, first.pixels.dropFirst(3)).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
    #expect(Double(neighbours) / Double(first.pixels.count) < 20)
  }

  private func batches(
    source: any ImageSource = SyntheticImages(count: 13, seed: 2, width: 30, height: 20), steps: Range<Int>, threads: Int,
    portion: Int = 4
  ) throws -> [[Float]] {
    let augmentation = Augmentation(recipe: Recipe(), width: 16, height: 16, channels: 3)
    let staging = TestStaging(slots: 8 / portion, samples: portion, augmentation: augmentation)
    let loader = try BatchLoader(
      source: source, order: EpochOrder(images: source.count, batch: 4, seed: 9), staging: staging, augmentation: augmentation,
      steps: steps, threads: threads)
    defer { loader.stop() }
    return try steps.map { _ in
      try (0..<4 / portion).flatMap { _ in
        _ = try loader.next()
        return staging.input
      }
    }
  }
}

/// Images of which some cannot be read.
private struct PartlyDamaged: ImageSource {
  let count: Int
  let damaged: Set<Int>

  func name(at index: Int) -> String { "image \(index)" }

  func load(at index: Int) throws(TrainerError) -> LoadedImage {
    if damaged.contains(index) { throw TrainerError("damaged on purpose") }
    return .pixels(Image(width: 20, height: 20, channels: 1, filledWith: UInt8(index * 20)))
  }
}
