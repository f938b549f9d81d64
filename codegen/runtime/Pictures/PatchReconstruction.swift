/// Pastes predicted patches where the model didn't see the image.
package struct PatchReconstruction {
  /// The side of a patch, in pixels.
  package let patch: Int
  /// Whether predictions are of patches brought to zero mean and unit variance.
  package let isNormalized: Bool
  /// Whether the variance is that of a sample, over one less than there are pixels.
  package let isSample: Bool

  package init(patch: Int, isNormalized: Bool, isSample: Bool = false) {
    self.patch = patch
    self.isNormalized = isNormalized
    self.isSample = isSample
  }

  /// What a picture takes from the input, for its caption.
  package var explanation: String {
    isNormalized
      ? "Hidden patches are predicted. Visible ones, and mean and deviation of each hidden one, are the input's."
      : "Hidden patches are predicted, visible ones the input's."
  }

  /// The picture of one image.
  ///
  /// - Parameters:
  ///   - image: The input, normalised.
  ///   - prediction: [positions, channels · patch · patch].
  package func rebuild(_ image: Planes, prediction: [Float], mask: PatchMask) -> Planes {
    var result = image
    let size = image.channels * patch * patch
    let columns = image.width / patch
    for position in 0..<image.height / patch * columns {
      let (row, column) = (position / columns, position % columns)
      guard mask.isHidden(row: row, column: column, height: image.height / patch, width: columns) else { continue }
      let (mean, deviation) = isNormalized ? statistics(image, row: row, column: column) : (0, 1)
      for element in 0..<size {
        let channel = element / (patch * patch)
        let y = row * patch + element / patch % patch
        let x = column * patch + element % patch
        result[channel, y, x] = prediction[position * size + element] * deviation + mean
      }
    }
    return result
  }

  /// The mean and the standard deviation of one patch of the input.
  private func statistics(_ image: Planes, row: Int, column: Int) -> (Float, Float) {
    var values: [Float] = []
    for channel in 0..<image.channels {
      for y in 0..<patch {
        for x in 0..<patch { values.append(image[channel, row * patch + y, column * patch + x]) }
      }
    }
    let mean = values.reduce(0, +) / Float(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(max(1, values.count - (isSample ? 1 : 0)))
    return (mean, (variance + 1e-6).squareRoot())
  }

  /// The picture of one image.
  ///
  /// - Parameters:
  ///   - image: The input, normalised.
  ///   - cells: The predictions as maps [patch · patch · channels, rows, columns]: row, column, colour where cells are normalised, else
  ///     colour, row, column.
  func rebuild(_ image: Planes, cells: Planes, mask: PatchMask) -> Planes {
    let (positions, area) = (cells.height * cells.width, patch * patch)
    var rows = [Float](repeating: 0, count: cells.values.count)
    for channel in 0..<cells.channels {
      let element = isNormalized ? channel % image.channels * area + channel / image.channels : channel
      for position in 0..<positions {
        rows[position * cells.channels + element] = cells.values[channel * positions + position]
      }
    }
    return rebuild(image, prediction: rows, mask: mask)
  }
}
