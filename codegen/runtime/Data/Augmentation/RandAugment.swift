/// RandAugment as timm's `rand-m9-mstd0.5-inc1`: operations drawn for each image, each applied or not, with a magnitude of its own.
package struct RandAugment: Sendable {
  package enum Operation: CaseIterable, Sendable {
    case automaticContrast, equalize, invert, rotate, posterize, solarize, solarizeAdding, color, contrast, brightness, sharpness
    case shearX, shearY, translateX, translateY
  }

  /// Operations that are drawn for an image.
  let count: Int
  /// The mean of magnitudes.
  let magnitude: Double
  /// Their standard deviation.
  let deviation: Double
  /// What comes from outside an image, a byte a channel.
  let fill: [UInt8]

  /// The largest magnitude.
  private static let limit = 10.0

  package init(count: Int, magnitude: Double, deviation: Double, fill: [UInt8]) {
    (self.count, self.magnitude, self.deviation, self.fill) = (count, magnitude, deviation, fill)
  }

  /// An operation that is to be applied.
  package struct Draw: Sendable {
    package let operation: Operation
    /// From 0 to 10.
    package let magnitude: Double
    /// 1 or -1, for operations that go either way.
    package let sign: Double

    package init(_ operation: Operation, magnitude: Double, sign: Double) {
      (self.operation, self.magnitude, self.sign) = (operation, magnitude, sign)
    }
  }

  /// The operations that `numbers` draws, without those that are not applied.
  package func draws(_ numbers: inout RandomNumbers) -> [Draw] {
    (0..<count).compactMap { _ in
      let operation = Operation.allCases[numbers.next(below: Operation.allCases.count)]
      let isApplied = numbers.next() < 0.5
      let magnitude = magnitude + deviation * numbers.nextNormal()
      let sign = numbers.next() < 0.5 ? 1.0 : -1
      return isApplied ? Draw(operation, magnitude: max(0, min(Self.limit, magnitude)), sign: sign) : nil
    }
  }

  /// `image` after the operations that `numbers` draws.
  func applied(to image: Image, numbers: inout RandomNumbers) -> Image {
    draws(&numbers).reduce(image) { apply($1, to: $0) }
  }

  package func apply(_ draw: Draw, to image: Image) -> Image {
    let level = draw.magnitude / Self.limit
    let factor = max(0.1, 1 + draw.sign * level * 0.9)
    func moved(_ map: AffineMap) -> Image { map.applied(to: image, fill: fill) }
    switch draw.operation {
    case .automaticContrast: return image.withAutomaticContrast()
    case .equalize: return image.equalized()
    case .invert: return image.inverted()
    case .rotate: return moved(.rotation(degrees: draw.sign * level * 30, width: image.width, height: image.height))
    case .posterize: return image.posterized(bits: 4 - Int(level * 4))
    case .solarize: return image.solarized(from: 256 - Int(level * 256))
    case .solarizeAdding: return image.solarized(adding: min(128, Int(level * 110)))
    case .color: return image.withColor(factor)
    case .contrast: return image.withContrast(factor)
    case .brightness: return image.withBrightness(factor)
    case .sharpness: return image.withSharpness(factor)
    case .shearX: return moved(.horizontalShear(draw.sign * level * 0.3))
    case .shearY: return moved(.verticalShear(draw.sign * level * 0.3))
    case .translateX: return moved(.translation(SIMD2(draw.sign * level * 0.45 * Double(image.width), 0)))
    case .translateY: return moved(.translation(SIMD2(0, draw.sign * level * 0.45 * Double(image.height))))
    }
  }
}
