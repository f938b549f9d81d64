import WaMIMManifest

/// Random factors of brightness, contrast and saturation and a random shift of hues, in random order, as torchvision's on 8-bit images.
package struct ColorJitter: Sendable {
  private enum Change: Int {
    case brightness, contrast, saturation, hue
  }

  /// How far each change may go, by its number; nothing where it is 0.
  private let ranges: [Double]

  package init(_ recipe: Recipe) {
    ranges = [recipe.jitterBrightness, recipe.jitterContrast, recipe.jitterSaturation, recipe.jitterHue]
  }

  package func applied(to image: Image, numbers: inout RandomNumbers) -> Image {
    var changes = ranges.indices.filter { ranges[$0] > 0 }.compactMap(Change.init)
    var result = image
    while !changes.isEmpty {
      let change = changes.remove(at: numbers.next(below: changes.count))
      let range = ranges[change.rawValue]
      if change == .hue {
        result = result.withHue(shiftedBy: numbers.next(in: -range...range))
      } else {
        let factor = numbers.next(in: max(0, 1 - range)...1 + range)
        switch change {
        case .brightness: result = result.withBrightness(factor)
        case .contrast: result = result.withContrast(factor)
        default: result = result.withColor(factor)
        }
      }
    }
    return result
  }
}
