import Glibc

/// Images that need no files: gradients with waves over them and shapes in front, the same for the same seed and number.
package struct SyntheticImages: ImageSource {
  package let count: Int
  private let seed: UInt64
  private let width: Int
  private let height: Int

  /// - Parameters:
  ///   - count: How many images there are.
  ///   - width: Pixels a row, a little more than the model's, so that there is something to crop.
  package init(count: Int, seed: UInt64, width: Int, height: Int) {
    self.count = count
    self.seed = seed
    self.width = width
    self.height = height
  }

  package var digest: String {
    ImageDigest.text(BinaryWriter.checksum("synthetic:\(count) \(width)x\(height)".utf8, continuing: BinaryWriter.emptyChecksum))
  }

  package func name(at index: Int) -> String { "synthetic image \(index)" }

  package func load(at index: Int) throws(TrainerError) -> LoadedImage { .pixels(drawn(index)) }

  /// Draws the image of number `index`.
  private func drawn(_ index: Int) -> Image {
    var numbers = RandomNumbers(seed: seed, purpose: .synthetic, UInt64(index))
    var canvas = Image(width: width, height: height, channels: 3)
    let background = Paint(&numbers)
    var layers: [(shape: Shape, paint: Paint)] = []
    for _ in 0..<3 + numbers.next(below: 5) { layers.append((Shape(&numbers), Paint(&numbers))) }
    let edge = 1.5 / Float(min(width, height))
    for y in 0..<height {
      for x in 0..<width {
        let point = SIMD2(Float(x) / Float(width), Float(y) / Float(height))
        var color = background.color(at: point)
        for (shape, paint) in layers {
          let cover = max(0, min(1, 0.5 - shape.distance(to: point) / edge))
          if cover > 0 { color += cover * (paint.color(at: point) - color) }
        }
        let bytes = (color.clamped(lowerBound: .zero, upperBound: .one) * 255).rounded(.toNearestOrEven)
        let position = (y * width + x) * 3
        for channel in 0..<3 { canvas.pixels[position + channel] = UInt8(bytes[channel]) }
      }
    }
    return canvas
  }
}

/// A gradient between two colours, with a wave of brightness over it.
private struct Paint {
  private let from: SIMD3<Float>
  private let change: SIMD3<Float>
  private let direction: SIMD2<Float>
  private let wave: SIMD2<Float>
  private let phase: Float
  private let strength: Float

  init(_ numbers: inout RandomNumbers) {
    func color() -> SIMD3<Float> { SIMD3(Float(numbers.next()), Float(numbers.next()), Float(numbers.next())) }
    from = color()
    change = color() - from
    let angle = Float(numbers.next(in: 0...2 * .pi))
    direction = SIMD2(cosf(angle), sinf(angle))
    let waveAngle = Float(numbers.next(in: 0...2 * .pi))
    let frequency = Float(numbers.next(in: 5...60))
    wave = SIMD2(cosf(waveAngle), sinf(waveAngle)) * frequency
    phase = Float(numbers.next(in: 0...2 * .pi))
    strength = Float(numbers.next(in: 0...0.25))
  }

  func color(at point: SIMD2<Float>) -> SIMD3<Float> {
    let along = (point * direction).sum() * 0.5 + 0.5
    let brightness = strength * sinf((point * wave).sum() + phase)
    return from + along * change + brightness
  }
}

/// An ellipse, a rectangle or a ring, turned by some angle.
private struct Shape {
  private enum Kind { case ellipse, rectangle, ring }

  private let kind: Kind
  private let center: SIMD2<Float>
  private let radii: SIMD2<Float>
  private let cosine: Float
  private let sine: Float

  init(_ numbers: inout RandomNumbers) {
    kind = [.ellipse, .rectangle, .ring][numbers.next(below: 3)]
    center = SIMD2(Float(numbers.next()), Float(numbers.next()))
    radii = SIMD2(Float(numbers.next(in: 0.05...0.35)), Float(numbers.next(in: 0.05...0.35)))
    let angle = Float(numbers.next(in: 0...Double.pi))
    cosine = cosf(angle)
    sine = sinf(angle)
  }

  /// About how far `point` is from the shape's edge, negative inside.
  func distance(to point: SIMD2<Float>) -> Float {
    let moved = point - center
    let turned = SIMD2(cosine * moved.x + sine * moved.y, cosine * moved.y - sine * moved.x)
    let scaled = turned / radii
    let smallest = min(radii.x, radii.y)
    switch kind {
    case .ellipse: return ((scaled * scaled).sum().squareRoot() - 1) * smallest
    case .rectangle: return (max(abs(scaled.x), abs(scaled.y)) - 1) * smallest
    case .ring: return (abs((scaled * scaled).sum().squareRoot() - 0.8) - 0.2) * smallest
    }
  }
}
