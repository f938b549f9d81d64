import Glibc
import WaMIMManifest

/// A rectangle of a sample that is replaced by normal noise once the sample is normalised, as MAE and timm erase at random.
package struct Erasure: Sendable {
  package let box: Resampling.Box
  /// Where the noise comes from.
  private let numbers: RandomNumbers

  /// What the box has of the sample's area, and how far its aspect ratio may be from 1, either way.
  private static let areas = 0.02...Manifest.largestErasedShare
  private static let largestAspect = 1 / 0.3
  private static let tries = 10

  /// Positions of the random numbers that the choice of a box may take; noise begins after them.
  private static let reserved: UInt64 = 64

  /// Draws the box of a sample of `width` times `height` pixels; nil with a probability of 1 - `probability`, and where no box fits.
  package init?(probability: Double, width: Int, height: Int, numbers: RandomNumbers) {
    var draws = numbers
    guard draws.next() < probability else { return nil }
    for _ in 0..<Self.tries {
      let area = Double(width * height) * draws.next(in: Self.areas)
      let aspect = exp(draws.next(in: -log(Self.largestAspect)...log(Self.largestAspect)))
      let boxHeight = Int((area * aspect).squareRoot().rounded(.toNearestOrEven))
      let boxWidth = Int((area / aspect).squareRoot().rounded(.toNearestOrEven))
      let top = draws.next()
      let left = draws.next()
      guard boxWidth < width, boxHeight < height else { continue }
      box = Resampling.Box(
        x: Int(left * Double(width - boxWidth + 1)), y: Int(top * Double(height - boxHeight + 1)), width: boxWidth,
        height: boxHeight)
      self.numbers = numbers
      return
    }
    return nil
  }

  /// Writes noise to what lies within the box of row `y` of `channel`.
  func erase(_ row: UnsafeMutableBufferPointer<Float>, y: Int, channel: Int) {
    guard y >= box.y, y < box.y + box.height, box.width > 0 else { return }
    writeNoise(to: UnsafeMutableBufferPointer(rebasing: row[box.x..<box.x + box.width]), y: y - box.y, channel: channel)
  }

  /// Writes the noise of row `y` of the box in `channel`, as many numbers as the box is wide.
  func writeNoise(to row: UnsafeMutableBufferPointer<Float>, y: Int, channel: Int) {
    // Pairs of numbers for pairs of columns, so that a row does not depend on another.
    let pairs = (box.width + 1) / 2
    let first = (channel * box.height + y) * pairs
    for pair in 0..<pairs {
      let values = numbers.normalPair(at: Self.reserved + 2 * UInt64(first + pair))
      row[2 * pair] = Float(values.0)
      if 2 * pair + 1 < box.width { row[2 * pair + 1] = Float(values.1) }
    }
  }
}
