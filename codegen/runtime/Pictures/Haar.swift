/// The orthonormal Haar transform of images, one level at a time.
package enum Haar {
  /// One level: the coarse picture (LL), and for each channel the details LH, HL and HH, in this order.
  package struct Level: Sendable {
    package var coarse: Planes
    /// [channels · 3, height, width], channel-major.
    package var details: Planes

    package init(coarse: Planes, details: Planes) {
      self.coarse = coarse
      self.details = details
    }
  }

  /// Takes `planes`, whose sides have to be even, apart.
  package static func analyze(_ planes: Planes) -> Level {
    let (height, width) = (planes.height / 2, planes.width / 2)
    var coarse = Planes(channels: planes.channels, height: height, width: width)
    var details = Planes(channels: 3 * planes.channels, height: height, width: width)
    for channel in 0..<planes.channels {
      for row in 0..<height {
        for column in 0..<width {
          let a = planes[channel, 2 * row, 2 * column]
          let b = planes[channel, 2 * row, 2 * column + 1]
          let c = planes[channel, 2 * row + 1, 2 * column]
          let d = planes[channel, 2 * row + 1, 2 * column + 1]
          coarse[channel, row, column] = (a + b + c + d) / 2
          details[3 * channel, row, column] = (a + b - c - d) / 2
          details[3 * channel + 1, row, column] = (a - b + c - d) / 2
          details[3 * channel + 2, row, column] = (a - b - c + d) / 2
        }
      }
    }
    return Level(coarse: coarse, details: details)
  }

  /// Puts a level together again.
  package static func synthesize(_ level: Level) -> Planes {
    let (coarse, details) = (level.coarse, level.details)
    var planes = Planes(channels: coarse.channels, height: 2 * coarse.height, width: 2 * coarse.width)
    for channel in 0..<coarse.channels {
      for row in 0..<coarse.height {
        for column in 0..<coarse.width {
          let ll = coarse[channel, row, column]
          let lh = details[3 * channel, row, column]
          let hl = details[3 * channel + 1, row, column]
          let hh = details[3 * channel + 2, row, column]
          planes[channel, 2 * row, 2 * column] = (ll + lh + hl + hh) / 2
          planes[channel, 2 * row, 2 * column + 1] = (ll + lh - hl - hh) / 2
          planes[channel, 2 * row + 1, 2 * column] = (ll - lh + hl - hh) / 2
          planes[channel, 2 * row + 1, 2 * column + 1] = (ll - lh - hl + hh) / 2
        }
      }
    }
    return planes
  }
}
