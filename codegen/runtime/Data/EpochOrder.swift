/// Which image is at which index of which batch, as a function of the seed alone.
package struct EpochOrder: Sendable {
  package let images: Int
  package let batch: Int
  package let seed: UInt64
  /// Whether every image has its turn once, in order, and the last batch is filled up with images that do not count.
  package let isComplete: Bool

  package init(images: Int, batch: Int, seed: UInt64) {
    self.images = images
    self.batch = batch
    self.seed = seed
    isComplete = false
  }

  /// Every image once, in order.
  package init(allOf images: Int, batch: Int) {
    self.images = images
    self.batch = batch
    seed = 0
    isComplete = true
  }

  /// Steps of an epoch: an incomplete last batch is left out unless every image is to have its turn, but there is always one step.
  package var stepsPerEpoch: Int { max(1, (isComplete ? images + batch - 1 : images) / batch) }

  /// Steps of a run of `epochs`, of which the last may be a part of one.
  package func steps(ofEpochs epochs: Double) -> Int { Int((epochs * Double(stepsPerEpoch)).rounded(.up)) }

  /// The images of `epoch` in the order in which they are shown.
  ///
  /// Where there are fewer images than a batch holds, they are repeated, each repetition in an order of its own.
  package func permutation(epoch: Int) -> [Int32] {
    if isComplete { return (0..<stepsPerEpoch * batch).map { Int32($0 % images) } }
    var numbers = RandomNumbers(seed: seed, purpose: .order, UInt64(epoch))
    var result: [Int32] = []
    result.reserveCapacity((batch + images - 1) / images * images)
    repeat {
      let start = result.count
      result += 0..<Int32(images)
      for last in stride(from: images - 1, to: 0, by: -1) { result.swapAt(start + last, start + numbers.next(below: last + 1)) }
    } while result.count < batch
    return result
  }

  /// Bytes that the orders of as many epochs take as are in memory at a time: that one which ends and that one which begins.
  static func byteCount(images: Int) -> Int { 2 * images * MemoryLayout<Int32>.size }
}
