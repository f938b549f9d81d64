import WaMIMManifest

/// The map between bytes and the model's numbers, channel by channel.
package struct Normalization: Sendable {
  /// The model's number for each byte, 256 for each channel.
  let table: [Float]
  private let mean: [Double]
  private let standardDeviation: [Double]

  package init(_ recipe: Recipe, channels: Int) {
    let (means, deviations) = (recipe.mean, recipe.standardDeviation)
    mean = (0..<channels).map { $0 < means.count ? means[$0] : 0 }
    standardDeviation = (0..<channels).map { $0 < deviations.count && deviations[$0] > 0 ? deviations[$0] : 1 }
    let (mean, standardDeviation) = (mean, standardDeviation)
    table = (0..<channels).flatMap { channel in
      (0..<256).map { Float((Double($0) / 255 - mean[channel]) / standardDeviation[channel]) }
    }
  }

  /// Writes the normalised pixels of samples, each [height, width, channels], to `target` as [sample, channels, height, width].
  package func apply(
    _ pixels: UnsafeBufferPointer<UInt8>, to target: UnsafeMutableBufferPointer<Float>, channels: Int, positions: Int
  ) {
    let samples = pixels.count / (channels * positions)
    table.withUnsafeBufferPointer { table in
      for sample in 0..<samples {
        let base = sample * channels * positions
        for channel in 0..<channels {
          let output = base + channel * positions
          for position in 0..<positions {
            target[output + position] = table[channel << 8 + Int(pixels[base + position * channels + channel])]
          }
        }
      }
    }
  }

  /// Writes row `y` of a channel of one sample, [height, width, channels], normalised.
  func applyRow(
    _ pixels: UnsafeBufferPointer<UInt8>, y: Int, channel: Int, channels: Int, to row: UnsafeMutableBufferPointer<Float>
  ) {
    let start = y * row.count
    table.withUnsafeBufferPointer { table in
      for x in row.indices { row[x] = table[channel << 8 + Int(pixels[(start + x) * channels + channel])] }
    }
  }

  /// The byte whose normalised value is closest to `value`.
  package func byte(_ value: Float, channel: Int) -> UInt8 {
    let byte = (Double(value) * standardDeviation[channel] + mean[channel]) * 255
    return byte.isNaN ? 0 : UInt8(max(0, min(255, byte.rounded())))
  }
}
