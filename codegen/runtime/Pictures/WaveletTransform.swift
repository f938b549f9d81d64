import WaMIMManifest

/// A wavelet transform of images, one level at a time, and its inverse; rows and columns go on periodically.
package struct WaveletTransform: Sendable {
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

  private let analysis: (low: Filter, high: Filter)
  private let synthesis: (low: Filter, high: Filter)

  package init(_ wavelet: Wavelet) {
    let (analysis, synthesis) = (wavelet.analysis, wavelet.synthesis)
    self.analysis = (Filter(analysis.low), Filter(analysis.high))
    self.synthesis = (Filter(synthesis.low), Filter(synthesis.high))
  }

  /// Takes `planes`, whose sides have to be even, apart.
  package func analyze(_ planes: Planes) -> Level {
    let (low, high) = (analysis.low.halve(planes, .vertical), analysis.high.halve(planes, .vertical))
    let details = [
      analysis.low.halve(high, .horizontal), analysis.high.halve(low, .horizontal), analysis.high.halve(high, .horizontal),
    ]
    return Level(coarse: analysis.low.halve(low, .horizontal), details: Self.interleaved(details))
  }

  /// Puts a level together again.
  package func synthesize(_ level: Level) -> Planes {
    let details = (0..<3).map { level.details.channels($0, of: 3) }
    let low = synthesis.low.double(level.coarse, .horizontal).adding(synthesis.high.double(details[1], .horizontal))
    let high = synthesis.low.double(details[0], .horizontal).adding(synthesis.high.double(details[2], .horizontal))
    return synthesis.low.double(low, .vertical).adding(synthesis.high.double(high, .vertical))
  }

  /// The channels of several planes in turn.
  private static func interleaved(_ planes: [Planes]) -> Planes {
    let first = planes[0]
    let positions = first.height * first.width
    var values: [Float] = []
    for channel in 0..<first.channels {
      for plane in planes { values += plane.values[channel * positions..<(channel + 1) * positions] }
    }
    return Planes(channels: planes.count * first.channels, height: first.height, width: first.width, values: values)
  }
}

/// The axis that a filter runs along.
private enum Axis {
  case vertical, horizontal
}

/// A filter on every second row or column of planes.
private struct Filter {
  private let first: Int
  private let coefficients: [Float]

  init(_ filter: WaveletFilter) {
    first = filter.first
    coefficients = filter.coefficients.map { Float($0) }
  }

  /// Half as many rows or columns, each filtered from those around it.
  func halve(_ planes: Planes, _ axis: Axis) -> Planes {
    var result = Planes(
      channels: planes.channels, height: axis == .vertical ? planes.height / 2 : planes.height,
      width: axis == .horizontal ? planes.width / 2 : planes.width)
    forEachProduct(result, axis) { coefficient, number, weight in result.values[coefficient] += weight * planes.values[number] }
    return result
  }

  /// Twice as many rows or columns, to which each of `planes` adds what it stands for: the adjoint of halving by the same filter.
  func double(_ planes: Planes, _ axis: Axis) -> Planes {
    var result = Planes(
      channels: planes.channels, height: axis == .vertical ? planes.height * 2 : planes.height,
      width: axis == .horizontal ? planes.width * 2 : planes.width)
    forEachProduct(planes, axis) { coefficient, number, weight in result.values[number] += weight * planes.values[coefficient] }
    return result
  }

  /// Tells `body` of each of `coefficients`, each index among twice as many that it is made of, and how much of that.
  private func forEachProduct(_ half: Planes, _ axis: Axis, _ body: (_ coefficient: Int, _ number: Int, _ weight: Float) -> Void) {
    // Positions before the axis, along it and after it.
    let outer = axis == .vertical ? half.channels : half.channels * half.height
    let (count, inner) = axis == .vertical ? (half.height, half.width) : (half.width, 1)
    for index in 0..<count {
      for (tap, weight) in coefficients.enumerated() {
        let number = (2 * index + first + tap) % (2 * count)
        let wrapped = number < 0 ? number + 2 * count : number
        for line in 0..<outer {
          let (coefficient, target) = ((line * count + index) * inner, (line * 2 * count + wrapped) * inner)
          for element in 0..<inner { body(coefficient + element, target + element, weight) }
        }
      }
    }
  }
}

extension Planes {
  /// Every `count`-th channel from channel `first` on.
  fileprivate func channels(_ first: Int, of count: Int) -> Planes {
    let positions = height * width
    let kept = stride(from: first, to: channels, by: count).flatMap { values[$0 * positions..<($0 + 1) * positions] }
    return Planes(channels: channels / count, height: height, width: width, values: kept)
  }

  /// The sum of two planes of the same extents.
  fileprivate func adding(_ other: Planes) -> Planes {
    Planes(channels: channels, height: height, width: width, values: zip(values, other.values).map { $0 + $1 })
  }
}
