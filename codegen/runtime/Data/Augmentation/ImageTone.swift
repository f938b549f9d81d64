/// What changes colours and leaves pixels where they are, each as Pillow's function of that name does it.
extension Image {
  /// The image with each byte replaced by that which `table` has for it: 256 for each channel, or 256 for all.
  private func mapped(by table: [UInt8]) -> Image {
    var result = self
    let offsets = (0..<channels).map { table.count == 256 ? 0 : 256 * $0 }
    result.pixels.withUnsafeMutableBufferPointer { pixels in
      for channel in 0..<channels {
        for index in stride(from: channel, to: pixels.count, by: channels) {
          pixels[index] = table[offsets[channel] + Int(pixels[index])]
        }
      }
    }
    return result
  }

  /// The image with each byte replaced by what `value` says.
  private func mapped(by value: (Int) -> Int) -> Image {
    mapped(by: (0..<256).map { UInt8(max(0, min(255, value($0)))) })
  }

  /// How often each byte occurs in each channel, 256 counts for each.
  private var histogram: [Int] {
    var counts = [Int](repeating: 0, count: 256 * channels)
    for (index, byte) in pixels.enumerated() { counts[index % channels * 256 + Int(byte)] += 1 }
    return counts
  }

  /// Each channel stretched to reach from 0 to 255.
  package func withAutomaticContrast() -> Image {
    let histogram = histogram
    return mapped(
      by: (0..<channels).flatMap { channel -> [UInt8] in
        let counts = histogram[256 * channel..<256 * (channel + 1)].enumerated().filter { $0.element > 0 }
        let (low, high) = (counts.first?.offset ?? 0, counts.last?.offset ?? 0)
        guard high > low else { return (0...255).map { $0 } }
        let scale = 255 / Double(high - low)
        return (0..<256).map { UInt8(max(0, min(255, Double($0) * scale - Double(low) * scale))) }
      })
  }

  /// Each channel's bytes spread so that they occur about equally often.
  package func equalized() -> Image {
    let histogram = histogram
    return mapped(
      by: (0..<channels).flatMap { channel -> [UInt8] in
        let counts = histogram[256 * channel..<256 * (channel + 1)]
        let step = (width * height - (counts.last { $0 > 0 } ?? 0)) / 255
        guard step > 0 else { return (0...255).map { $0 } }
        var sum = step / 2
        return counts.map { count in
          defer { sum += count }
          return UInt8(min(255, sum / step))
        }
      })
  }

  package func inverted() -> Image { mapped { 255 - $0 } }

  /// Only the highest `bits` bits of each byte.
  package func posterized(bits: Int) -> Image { mapped { $0 - $0 % (1 << (8 - bits)) } }

  /// Bytes from `threshold` on inverted.
  package func solarized(from threshold: Int) -> Image { mapped { $0 < threshold ? $0 : 255 - $0 } }

  /// `amount` added to bytes below 128.
  package func solarized(adding amount: Int) -> Image { mapped { $0 < 128 ? $0 + amount : $0 } }

  /// Between black and the image, or beyond it.
  package func withBrightness(_ factor: Double) -> Image {
    blended(over: Image(width: width, height: height, channels: channels), factor)
  }

  /// Between the image's mean grey and the image, or beyond it.
  package func withContrast(_ factor: Double) -> Image {
    let grey = converted(toChannels: 1).pixels
    let mean = Double(grey.reduce(0) { $0 + Int($1) }) / Double(max(1, grey.count))
    return blended(over: Image(width: width, height: height, channels: channels, filledWith: UInt8(mean + 0.5)), factor)
  }

  /// Between grey and the image's colours, or beyond them.
  package func withColor(_ factor: Double) -> Image {
    blended(over: converted(toChannels: 1).converted(toChannels: channels), factor)
  }

  /// Between the image smoothed and the image, or beyond it.
  package func withSharpness(_ factor: Double) -> Image { blended(over: smoothed(), factor) }

  /// `under` and so much of the difference that the image makes.
  private func blended(over under: Image, _ factor: Double) -> Image {
    let factor = Float(factor)
    var result = self
    result.pixels.withUnsafeMutableBufferPointer { pixels in
      under.pixels.withUnsafeBufferPointer { under in
        for index in pixels.indices {
          let value = Float(under[index]) + factor * (Float(pixels[index]) - Float(under[index]))
          pixels[index] = UInt8(max(0, min(255, value)))
        }
      }
    }
    return result
  }

  /// The image under a kernel of 3 by 3 ones with a 5 in the middle; pixels at the edge stay.
  private func smoothed() -> Image {
    var result = self
    let rowBytes = width * channels
    guard width > 2, height > 2 else { return result }
    pixels.withUnsafeBufferPointer { input in
      result.pixels.withUnsafeMutableBufferPointer { output in
        for y in 1..<height - 1 {
          for index in y * rowBytes + channels..<(y + 1) * rowBytes - channels {
            var sum = 4 * Int(input[index])
            for row in [index - rowBytes, index, index + rowBytes] {
              sum += Int(input[row - channels]) + Int(input[row]) + Int(input[row + channels])
            }
            // Rounded; no sum lies in the middle between two.
            output[index] = UInt8((2 * sum + 13) / 26)
          }
        }
      }
    }
    return result
  }

  /// Hues shifted by `share` of the colour circle, in 8 bits.
  package func withHue(shiftedBy share: Double) -> Image {
    guard channels == 3 else { return self }
    let shift = UInt8(truncatingIfNeeded: Int(share * 255))
    var result = self
    result.pixels.withUnsafeMutableBufferPointer { pixels in
      for index in stride(from: 0, to: pixels.count - 2, by: 3) {
        var color = HSV(red: pixels[index], green: pixels[index + 1], blue: pixels[index + 2])
        color.hue &+= shift
        (pixels[index], pixels[index + 1], pixels[index + 2]) = color.rgb
      }
    }
    return result
  }
}

/// A colour by hue, saturation and value, 8 bits each.
private struct HSV {
  var hue: UInt8
  var saturation: UInt8
  var value: UInt8

  init(red: UInt8, green: UInt8, blue: UInt8) {
    let (high, low) = (max(red, green, blue), min(red, green, blue))
    value = high
    guard high > low else {
      (hue, saturation) = (0, 0)
      return
    }
    let range = Float(high - low)
    func distance(_ byte: UInt8) -> Double { Double(Float(high - byte) / range) }
    // In single and double precision as in Pillow, since whole numbers are cut off.
    let sextant: Double
    if red == high {
      sextant = distance(blue) - distance(green)
    } else if green == high {
      sextant = 2 + distance(red) - distance(blue)
    } else {
      sextant = 4 + distance(green) - distance(red)
    }
    let turn = Float((Double(Float(sextant)) / 6 + 1).truncatingRemainder(dividingBy: 1))
    hue = UInt8(max(0, min(255, Double(turn) * 255)))
    saturation = UInt8(max(0, min(255, Double(range / Float(high)) * 255)))
  }

  var rgb: (UInt8, UInt8, UInt8) {
    guard saturation > 0 else { return (value, value, value) }
    let sextant = Double(hue) * 6 / 255
    let fraction = Double(Float(sextant - sextant.rounded(.down)))
    let (strength, full) = (Double(Float(Double(saturation) / 255)), Double(value))
    func byte(_ value: Double) -> UInt8 { UInt8(max(0, min(255, value.rounded()))) }
    let p = byte(full * (1 - strength))
    let q = byte(full * (1 - strength * fraction))
    let t = byte(full * (1 - strength * (1 - fraction)))
    switch Int(sextant) % 6 {
    case 0: return (value, t, p)
    case 1: return (q, value, p)
    case 2: return (p, value, t)
    case 3: return (p, q, value)
    case 4: return (t, p, value)
    default: return (value, p, q)
    }
  }
}
