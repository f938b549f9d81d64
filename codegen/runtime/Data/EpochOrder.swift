/// Which image is at which place of which batch, as a function of the seed alone.
package struct EpochOrder: Sendable {
  package let images: Int
  package let batch: Int
  package let seed: UInt64

  package init(images: Int, batch: Int, seed: UInt64) {
    self.images = images
    self.batch = batch
    self.seed = seed
  }

  /// Steps of an epoch: an incomplete last batch is left out, but there is always one step.
  package var stepsPerEpoch: Int { max(1, images / batch) }

  /// The images of `epoch` in the order in which they are shown.
  ///
  /// Where there are fewer images than a batch holds, they are repeated, each repetition in an order of its own.
  package func permutation(epoch: Int) -> [Int32] {
    var numbers = RandomNumbers(seed: seed, purpose: .order, UInt64(epoch))
    var result: [Int32] = []
    repeat {
      var order = (0..<Int32(images)).map { $0 }
      for last in stride(from: images - 1, to: 0, by: -1) { order.swapAt(last, numbers.next(below: last + 1)) }
      result += order
    } while result.count < batch
    return result
  }
}
