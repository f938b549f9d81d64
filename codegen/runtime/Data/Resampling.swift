/// Resizing as Pillow does it: separable, antialiased bicubic, with 8 bits between the passes.
package enum Resampling {
  /// A rectangle of pixels.
  package struct Box: Sendable, Equatable {
    package var x: Int
    package var y: Int
    package var width: Int
    package var height: Int

    package init(x: Int, y: Int, width: Int, height: Int) {
      self.x = x
      self.y = y
      self.width = width
      self.height = height
    }
  }

  /// The pixels of `image` within `box`, resized to `width` times `height`; pixels outside the box take no part.
  package static func resize(_ image: Image, box: Box, width: Int, height: Int) -> Image {
    let horizontal = Weights(from: box.width, to: width)
    let vertical = Weights(from: box.height, to: height)
    let narrow = resizeRows(of: image, box: box, weights: horizontal)
    return resizeColumns(of: narrow, weights: vertical)
  }

  /// What each output position takes from which inputs, in fixed point.
  struct Weights {
    /// The first input of each output.
    var starts: [Int] = []
    /// How many inputs each output takes.
    var counts: [Int] = []
    /// `width` weights for each output.
    var values: [Int32] = []
    var width = 0

    /// Bits after the binary point: products with 8-bit values, and sums that overshoot, still fit 32 bits.
    static let fractionBits = 22

    init(from input: Int, to output: Int) {
      let scale = Double(input) / Double(output)
      let stretch = max(scale, 1)
      let support = 2 * stretch
      width = Int(support.rounded(.up)) * 2 + 1
      values = [Int32](repeating: 0, count: width * output)
      for position in 0..<output {
        let center = (Double(position) + 0.5) * scale
        let start = max(0, Int(center - support + 0.5))
        let end = min(input, Int(center + support + 0.5))
        let weights = (start..<end).map { Self.bicubic((Double($0) - center + 0.5) / stretch) }
        let sum = weights.reduce(0, +)
        for (index, weight) in weights.enumerated() {
          let fixed = weight / sum * Double(1 << Self.fractionBits)
          values[position * width + index] = Int32(fixed.rounded(.toNearestOrAwayFromZero))
        }
        starts.append(start)
        counts.append(end - start)
      }
    }

    /// Keys's cubic with a = -0.5.
    private static func bicubic(_ distance: Double) -> Double {
      let x = abs(distance)
      if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
      if x < 2 { return ((-0.5 * x + 2.5) * x - 4) * x + 2 }
      return 0
    }
  }

  /// Resizes each row of the box.
  private static func resizeRows(of image: Image, box: Box, weights: Weights) -> Image {
    let channels = image.channels
    var result = Image(width: weights.starts.count, height: box.height, channels: channels)
    result.pixels.withUnsafeMutableBufferPointer { output in
      image.pixels.withUnsafeBufferPointer { input in
        weights.values.withUnsafeBufferPointer { values in
          for y in 0..<box.height {
            let row = ((box.y + y) * image.width + box.x) * channels
            for x in 0..<weights.starts.count {
              let first = row + weights.starts[x] * channels
              for channel in 0..<channels {
                var sum = Int32(1) << (Weights.fractionBits - 1)
                for tap in 0..<weights.counts[x] {
                  sum &+= values[x * weights.width + tap] &* Int32(input[first + tap * channels + channel])
                }
                output[(y * weights.starts.count + x) * channels + channel] = clamped(sum)
              }
            }
          }
        }
      }
    }
    return result
  }

  /// Resizes each column of `image`, a row of sums at a time.
  private static func resizeColumns(of image: Image, weights: Weights) -> Image {
    let rowBytes = image.width * image.channels
    var result = Image(width: image.width, height: weights.starts.count, channels: image.channels)
    var sums = [Int32](repeating: 0, count: rowBytes)
    result.pixels.withUnsafeMutableBufferPointer { output in
      image.pixels.withUnsafeBufferPointer { input in
        sums.withUnsafeMutableBufferPointer { sums in
          for y in 0..<weights.starts.count {
            sums.update(repeating: Int32(1) << (Weights.fractionBits - 1))
            for tap in 0..<weights.counts[y] {
              let weight = weights.values[y * weights.width + tap]
              let row = (weights.starts[y] + tap) * rowBytes
              for x in 0..<rowBytes { sums[x] &+= weight &* Int32(input[row + x]) }
            }
            for x in 0..<rowBytes { output[y * rowBytes + x] = clamped(sums[x]) }
          }
        }
      }
    }
    return result
  }

  @inline(__always)
  private static func clamped(_ sum: Int32) -> UInt8 {
    UInt8(truncatingIfNeeded: max(0, min(255, sum >> Int32(Weights.fractionBits))))
  }
}
