/// Resizing as Pillow does it: separable, antialiased, with 8 bits between the passes.
package enum Resampling {
  /// How much a pixel weighs by its distance.
  package enum Filter: Sendable {
    case bicubic, bilinear

    /// The distance, in pixels of the coarser image, from which on pixels weigh nothing.
    fileprivate var support: Double {
      switch self {
      case .bicubic: 2
      case .bilinear: 1
      }
    }

    fileprivate func weight(_ distance: Double) -> Double {
      switch self {
      case .bilinear: max(0, 1 - abs(distance))
      case .bicubic: CubicConvolution.pillow.weight(at: distance)
      }
    }
  }

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

  /// A rectangle of an image whose edges may lie within pixels.
  package struct Region: Sendable {
    fileprivate let columns: Span
    fileprivate let rows: Span

    /// `box` in an image of `scale` times the size, with more columns at its left and rows at its top.
    package init(_ box: Box, scaledBy scale: Double = 1, left: Double = 0, top: Double = 0) {
      columns = Span(start: Double(box.x) * scale + left, length: Double(box.width) * scale)
      rows = Span(start: Double(box.y) * scale + top, length: Double(box.height) * scale)
    }
  }

  /// One direction of a region.
  fileprivate struct Span {
    var start: Double
    var length: Double

    /// The first pixel that the span touches.
    var firstPixel: Int { Int(start.rounded(.down)) }

    /// How many pixels of an image of `extent` the span touches.
    func pixelCount(of extent: Int) -> Int { min(extent, Int((start + length).rounded(.up))) - firstPixel }
  }

  /// The pixels of `image` within `box`, resized to `width` times `height`; pixels outside the box do not count.
  package static func resize(_ image: Image, box: Box, width: Int, height: Int, filter: Filter = .bicubic) -> Image {
    resize(image, region: Region(box), width: width, height: height, filter: filter)
  }

  /// The pixels of `image` that `region` touches, resized so that the region becomes `width` times `height`.
  ///
  /// - Parameter window: The box of the result that is wanted, where it isn't all.
  package static func resize(
    _ image: Image, region: Region, width: Int, height: Int, window: Box? = nil, filter: Filter = .bicubic
  ) -> Image {
    image.pixels.withUnsafeBufferPointer { pixels in
      let view = PixelView(width: image.width, height: image.height, channels: image.channels, pixels: pixels)
      return resize(view, region: region, width: width, height: height, window: window, filter: filter)
    }
  }

  /// The pixels of `image` that `region` touches, resized so that the region becomes `width` times `height`.
  ///
  /// - Parameter window: The box of the result that is wanted, where it isn't all.
  static func resize(
    _ image: PixelView, region: Region, width: Int, height: Int, window: Box?, filter: Filter = .bicubic
  ) -> Image {
    let window = window ?? Box(x: 0, y: 0, width: width, height: height)
    let box = Box(
      x: region.columns.firstPixel, y: region.rows.firstPixel, width: region.columns.pixelCount(of: image.width),
      height: region.rows.pixelCount(of: image.height))
    let horizontal = Weights(of: region.columns, pixels: box.width, to: width, within: window.x..<window.x + window.width, filter)
    let vertical = Weights(of: region.rows, pixels: box.height, to: height, within: window.y..<window.y + window.height, filter)
    let narrow = resizeRows(of: image, box: box, weights: horizontal)
    return resizeColumns(of: narrow, weights: vertical)
  }

  /// What each output position takes from which inputs, in fixed point.
  private struct Weights {
    /// The first input of each output.
    var starts: [Int] = []
    /// How many inputs each output takes.
    var counts: [Int] = []
    /// `width` weights for each output.
    var values: [Int32] = []
    var width = 0

    /// Bits after the binary point: products with 8-bit values, and sums that overshoot, still fit 32 bits.
    static let fractionBits = 22

    /// Weights that make `output` positions of `span`, from the `pixels` pixels that it touches; only those `within` a range of them.
    init(of span: Span, pixels: Int, to output: Int, within range: Range<Int>, _ filter: Filter) {
      let scale = span.length / Double(output)
      let offset = span.start - Double(span.firstPixel)
      let stretch = max(scale, 1)
      let support = filter.support * stretch
      width = Int(support.rounded(.up)) * 2 + 1
      values = [Int32](repeating: 0, count: width * range.count)
      for position in range {
        let center = offset + (Double(position) + 0.5) * scale
        let start = max(0, Int(center - support + 0.5))
        let end = min(pixels, Int(center + support + 0.5))
        let weights = (start..<end).map { filter.weight((Double($0) - center + 0.5) / stretch) }
        let sum = weights.reduce(0, +)
        for (index, weight) in weights.enumerated() {
          let fixed = weight / sum * Double(1 << Self.fractionBits)
          values[(position - range.lowerBound) * width + index] = Int32(fixed.rounded(.toNearestOrAwayFromZero))
        }
        starts.append(start)
        counts.append(end - start)
      }
    }
  }

  /// Resizes each row of the box.
  private static func resizeRows(of image: PixelView, box: Box, weights: Weights) -> Image {
    let channels = image.channels
    let width = weights.starts.count
    var result = Image(width: width, height: box.height, channels: channels)
    let input = image.pixels
    result.pixels.withUnsafeMutableBufferPointer { output in
      weights.values.withUnsafeBufferPointer { values in
        for x in 0..<width {
          let taps = UnsafeBufferPointer(rebasing: values[x * weights.width..<x * weights.width + weights.counts[x]])
          let first = (box.y * image.width + box.x + weights.starts[x]) * channels
          for y in 0..<box.height {
            let pixels = UnsafeBufferPointer(rebasing: input[(first + y * image.width * channels)...])
            let target = (y * width + x) * channels
            if channels == 3 {
              let sums = weighedColor(pixels, taps)
              for channel in 0..<3 { output[target + channel] = clamped(sums[channel]) }
            } else {
              output[target] = clamped(weighedGrey(pixels, taps))
            }
          }
        }
      }
    }
    return result
  }

  /// The sum of pixels of three channels, each times its weight.
  @inline(__always)
  private static func weighedColor(_ pixels: UnsafeBufferPointer<UInt8>, _ taps: UnsafeBufferPointer<Int32>) -> SIMD4<Int32> {
    var sums = SIMD4<Int32>(repeating: half)
    for tap in 0..<taps.count {
      let color = SIMD4(Int32(pixels[3 * tap]), Int32(pixels[3 * tap + 1]), Int32(pixels[3 * tap + 2]), 0)
      sums &+= color &* taps[tap]
    }
    return sums
  }

  /// The sum of pixels of one channel, each times its weight.
  @inline(__always)
  private static func weighedGrey(_ pixels: UnsafeBufferPointer<UInt8>, _ taps: UnsafeBufferPointer<Int32>) -> Int32 {
    var sum = half
    for tap in 0..<taps.count { sum &+= Int32(pixels[tap]) &* taps[tap] }
    return sum
  }

  /// What makes shifting round to nearest.
  private static let half = Int32(1) << (Weights.fractionBits - 1)

  /// Resizes each column of `image`, a row of sums at a time.
  private static func resizeColumns(of image: Image, weights: Weights) -> Image {
    let rowBytes = image.width * image.channels
    var result = Image(width: image.width, height: weights.starts.count, channels: image.channels)
    var sums = [Int32](repeating: 0, count: rowBytes)
    result.pixels.withUnsafeMutableBufferPointer { output in
      image.pixels.withUnsafeBufferPointer { input in
        sums.withUnsafeMutableBufferPointer { sums in
          for y in 0..<weights.starts.count {
            sums.update(repeating: half)
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
