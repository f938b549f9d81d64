/// How two samples of a batch become one: blended, or one of them with a rectangle of the other.
///
/// A sample's partner is that at the same index counted from the end.
package struct Mixture: Sendable, Equatable {
  /// What the sample keeps of its own, from 0 to 1.
  package let share: Double
  /// What comes from the partner where samples are not blended.
  package let box: Resampling.Box?

  /// Samples blended.
  package init(share: Double) {
    self.share = share
    box = nil
  }

  /// CutMix's rectangle around a pixel, of so much of the area as `share` leaves before it is cut off at the sample's edges.
  package init(share: Double, centerX: Int, centerY: Int, width: Int, height: Int) {
    let side = (1 - share).squareRoot()
    let (halfWidth, halfHeight) = (Int(Double(width) * side) / 2, Int(Double(height) * side) / 2)
    let (left, right) = (max(0, centerX - halfWidth), min(width, centerX + halfWidth))
    let (top, bottom) = (max(0, centerY - halfHeight), min(height, centerY + halfHeight))
    box = Resampling.Box(x: left, y: top, width: right - left, height: bottom - top)
    self.share = 1 - Double((right - left) * (bottom - top)) / Double(width * height)
  }

  /// Draws how a batch of samples of `width` times `height` pixels is mixed; nil where neither parameter is above 0.
  package init?(mixup: Double, cutmix: Double, width: Int, height: Int, numbers: RandomNumbers) {
    guard mixup > 0 || cutmix > 0 else { return nil }
    var numbers = numbers
    let coin = numbers.next() < 0.5
    let cuts = cutmix > 0 && (mixup <= 0 || coin)
    let centerX = numbers.next(below: width)
    let centerY = numbers.next(below: height)
    let share = numbers.nextBeta(cuts ? cutmix : mixup)
    if cuts {
      self.init(share: share, centerX: centerX, centerY: centerY, width: width, height: height)
    } else {
      self.init(share: share)
    }
  }

  /// Mixes row `y` of the partner into the sample's own.
  func mix(_ own: UnsafeMutableBufferPointer<Float>, with partner: UnsafeBufferPointer<Float>, y: Int) {
    guard let box else {
      let (share, rest) = (Float(share), Float(1 - share))
      for x in own.indices { own[x] = share * own[x] + rest * partner[x] }
      return
    }
    guard touches(y) else { return }
    for x in box.x..<box.x + box.width { own[x] = partner[x] }
  }

  /// Whether something of row `y` comes from the partner.
  func touches(_ y: Int) -> Bool { box.map { $0.width > 0 && y >= $0.y && y < $0.y + $0.height } ?? true }
}
