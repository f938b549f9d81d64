/// Flips and turns that only exchange pixels.
extension Image {
  /// The image with top and bottom exchanged.
  package func flippedVertically() -> Image {
    var result = self
    let rowBytes = width * channels
    for y in 0..<height {
      let from = (height - 1 - y) * rowBytes
      result.pixels.replaceSubrange(y * rowBytes..<(y + 1) * rowBytes, with: pixels[from..<from + rowBytes])
    }
    return result
  }

  /// The image turned by `quarters` quarters of a circle against the clock.
  package func turned(quarters: Int) -> Image {
    guard quarters > 0 else { return self }
    let isTransposed = quarters % 2 == 1
    var result = Image(width: isTransposed ? height : width, height: isTransposed ? width : height, channels: channels)
    for y in 0..<result.height {
      for x in 0..<result.width {
        let (fromX, fromY) =
          switch quarters {
          case 1: (width - 1 - y, x)
          case 2: (width - 1 - x, height - 1 - y)
          default: (y, height - 1 - x)
          }
        for channel in 0..<channels {
          result.pixels[(y * result.width + x) * channels + channel] = pixels[(fromY * width + fromX) * channels + channel]
        }
      }
    }
    return result
  }
}
