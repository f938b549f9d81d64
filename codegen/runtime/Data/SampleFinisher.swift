/// Makes samples' bytes the numbers that a model takes: normalised, erased, mixed with another's; and their targets.
package struct SampleFinisher: Sendable {
  private let normalization: Normalization
  private let width: Int
  private let height: Int
  private let channels: Int
  private let smoothing: Double

  package init(_ augmentation: Augmentation, normalization: Normalization) {
    self.normalization = normalization
    (width, height, channels) = (augmentation.width, augmentation.height, augmentation.channels)
    smoothing = augmentation.recipe.labelSmoothing
  }

  /// A sample's bytes, [height, width, channels], and what is erased of it.
  package typealias Source = (pixels: UnsafeBufferPointer<UInt8>, erasure: Erasure?)

  /// Writes `own`, mixed with `partner`, to `target`, [channels, height, width].
  package func write(
    _ own: Source, mixedWith partner: Source?, by mixture: Mixture?, to target: UnsafeMutableBufferPointer<Float>
  ) {
    guard own.erasure != nil || mixture != nil else {
      normalization.apply(own.pixels, to: target, channels: channels, positions: width * height)
      return
    }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: width) { other in
      for channel in 0..<channels {
        for y in 0..<height {
          let start = (channel * height + y) * width
          let row = UnsafeMutableBufferPointer(rebasing: target[start..<start + width])
          write(own, y: y, channel: channel, to: row)
          guard let mixture, let partner, mixture.touches(y) else { continue }
          write(partner, y: y, channel: channel, to: other)
          mixture.mix(row, with: UnsafeBufferPointer(other), y: y)
        }
      }
    }
  }

  /// Writes a row of a channel, normalised and erased.
  private func write(_ source: Source, y: Int, channel: Int, to row: UnsafeMutableBufferPointer<Float>) {
    normalization.applyRow(source.pixels, y: y, channel: channel, channels: channels, to: row)
    source.erasure?.erase(row, y: y, channel: channel)
  }

  /// Writes the target of a sample, a number for each class: smoothed, mixed with its partner's, and times its weight and `scale`.
  package func writeTarget(
    _ own: Label?, mixedWith partner: Label?, by mixture: Mixture?, scale: Float, to row: UnsafeMutableBufferPointer<Float>
  ) {
    guard let own else { return row.update(repeating: 0) }
    let weight = Double(own.weight) * Double(scale)
    let (rest, whole) = (smoothing / Double(row.count), 1 - smoothing)
    let share = mixture?.share ?? 1
    row.update(repeating: Float(weight * rest))
    func set(_ label: Label, _ value: Double) {
      if row.indices.contains(label.category) { row[label.category] = Float(weight * value) }
    }
    guard let partner, partner.category != own.category else { return set(own, whole + rest) }
    set(own, share * whole + rest)
    set(partner, (1 - share) * whole + rest)
  }
}
