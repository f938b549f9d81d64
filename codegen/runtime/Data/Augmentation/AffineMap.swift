import Glibc

/// Where each point of a result comes from in an image: (x, y) from (a x + b y + c, d x + e y + f).
package struct AffineMap: Sendable, Equatable {
  private let x: SIMD3<Double>
  private let y: SIMD3<Double>

  /// A turn by `degrees` against the clock about the middle of an image of `width` times `height` pixels, and a shift by so many pixels
  /// before it.
  package static func rotation(
    degrees: Double, width: Int, height: Int, shift: SIMD2<Double> = .zero
  ) -> AffineMap {
    let (cosine, sine) = (cos(-degrees * .pi / 180), sin(-degrees * .pi / 180))
    let (centerX, centerY) = (Double(width) / 2, Double(height) / 2)
    let (fromX, fromY) = (-centerX + shift.x, -centerY + shift.y)
    return AffineMap(
      x: SIMD3(cosine, sine, cosine * fromX + sine * fromY + centerX),
      y: SIMD3(-sine, cosine, -sine * fromX + cosine * fromY + centerY))
  }

  /// Rows moved by `factor` of their distance from the top.
  package static func horizontalShear(_ factor: Double) -> AffineMap { AffineMap(x: SIMD3(1, factor, 0), y: SIMD3(0, 1, 0)) }

  /// Columns moved by `factor` of their distance from the left.
  package static func verticalShear(_ factor: Double) -> AffineMap { AffineMap(x: SIMD3(1, 0, 0), y: SIMD3(factor, 1, 0)) }

  /// A shift by so many pixels.
  package static func translation(_ shift: SIMD2<Double>) -> AffineMap {
    AffineMap(x: SIMD3(1, 0, shift.x), y: SIMD3(0, 1, shift.y))
  }

  /// `image` under the map, as Pillow's bicubic `transform` gives it; what comes from outside the image is `fill`, a byte a channel.
  package func applied(to image: Image, fill: [UInt8]) -> Image {
    var result = image
    let taps = CubicTaps(width: image.width, height: image.height, channels: image.channels)
    image.pixels.withUnsafeBufferPointer { input in
      result.pixels.withUnsafeMutableBufferPointer { output in
        for row in 0..<image.height {
          for column in 0..<image.width {
            let at = SIMD3(Double(column) + 0.5, Double(row) + 0.5, 1)
            let source = SIMD2((x * at).sum(), (y * at).sum())
            let target = (row * image.width + column) * image.channels
            if let color = taps.color(of: input, at: source) {
              for channel in 0..<image.channels { output[target + channel] = UInt8(max(0, min(255, color[channel]))) }
            } else {
              for channel in 0..<image.channels { output[target + channel] = fill[channel] }
            }
          }
        }
      }
    }
    return result
  }
}

/// Cubic interpolation with a = -1 between 16 pixels, those beyond the edge being as those at the edge.
private struct CubicTaps {
  let width: Int
  let height: Int
  let channels: Int

  /// The colour at a point, whose pixels' middles lie at halves; nil outside the image.
  func color(of pixels: UnsafeBufferPointer<UInt8>, at point: SIMD2<Double>) -> SIMD4<Double>? {
    guard point.x >= 0, point.x < Double(width), point.y >= 0, point.y < Double(height) else { return nil }
    let corner = SIMD2(point.x - 0.5, point.y - 0.5).rounded(.down)
    let (dx, dy) = (point.x - 0.5 - corner.x, point.y - 0.5 - corner.y)
    let (x, y) = (Int(corner.x), Int(corner.y))
    let isInside = x >= 1 && x + 2 < width && y >= 1 && y + 2 < height
    func index(_ column: Int, _ row: Int) -> Int {
      if isInside { return ((y + row) * width + x + column) * channels }
      return (max(0, min(height - 1, y + row)) * width + max(0, min(width - 1, x + column))) * channels
    }
    func row(_ row: Int) -> SIMD4<Double> {
      func pixel(_ column: Int) -> SIMD4<Double> {
        let first = index(column, row)
        if channels == 1 { return SIMD4(Double(pixels[first]), 0, 0, 0) }
        return SIMD4<Double>(SIMD4<Int32>(Int32(pixels[first]), Int32(pixels[first + 1]), Int32(pixels[first + 2]), 0))
      }
      // Where a point lies on a line of pixels, the others count for nothing.
      return dx == 0 ? pixel(0) : Self.cubic(pixel(-1), pixel(0), pixel(1), pixel(2), dx)
    }
    return dy == 0 ? row(0) : Self.cubic(row(-1), row(0), row(1), row(2), dy)
  }

  /// The value at `d` from the second of four towards the third; exactly that of all four where they are the same.
  @inline(__always)
  private static func cubic(
    _ v1: SIMD4<Double>, _ v2: SIMD4<Double>, _ v3: SIMD4<Double>, _ v4: SIMD4<Double>, _ d: Double
  ) -> SIMD4<Double> {
    let cube = v2 - v1 - v3 + v4
    let square = 2 * (v1 - v2) + v3 - v4
    return v2 + d * (v3 - v1 + d * (square + d * cube))
  }
}
