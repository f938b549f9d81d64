import WaMIMGraph

extension Tensor {
  /// The pixels of square cells of images [batch, channels, height, width]: maps [batch, patch · patch · channels, rows, columns].
  ///
  /// Normalised cells have zero mean and unit variance, that of a sample, over n - 1; their channels are row, column and colour, as MAE's
  /// (arXiv 2111.06377). Others are as they are, colour first, as `patches` has them: SimMIM's (arXiv 2111.09886).
  public func pixelCells(_ patch: Int, normalized: Bool, file: String = #fileID, line: Int = #line) -> Tensor {
    builder.located(file, line) {
      guard shape.rank == 4, patch > 0, shape[2] % patch == 0, shape[3] % patch == 0 else {
        builder.fail("cells of \(patch) × \(patch) pixels do not tile images \(type): choose a patch that divides their sides")
        return self
      }
      let count = shape[1] * patch * patch
      let (rows, columns) = (shape[2] / patch, shape[3] / patch)
      let cells = reshaped([shape[0], shape[1], rows, patch, columns, patch])
        .transposed(normalized ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4])
        .reshaped([shape[0], count, rows, columns])
      let target = normalized ? cells.sampleStandardized(count) : cells
      builder[PredictionNotes.self].origins[target.value] = .pixels(patch: patch, normalized: normalized)
      return target
    }
  }

  /// The tensor with zero mean and the unit variance of a sample of `count` along axis 1.
  private func sampleStandardized(_ count: Int, epsilon: Float = 1e-6) -> Tensor {
    let centred = self - mean([1])
    let variance = (centred * centred).sum([1]) * (1 / Float(Swift.max(1, count - 1)))
    return centred * (variance + epsilon).applying(.reciprocalSquareRoot)
  }
}

extension Tensor {
  /// Rows [batch, side · side, channels], line by line, as maps [batch, channels, side, side].
  public func asMaps(file: String = #fileID, line: Int = #line) -> Tensor {
    builder.located(file, line) {
      let side = shape.rank == 3 ? Int(Double(shape[1]).squareRoot().rounded()) : 0
      guard side > 0, side * side == shape[1] else {
        builder.fail("maps are made of rows [batch, side · side, channels], not of \(type)")
        return self
      }
      let maps = reshaped([shape[0], side, side, shape[2]]).transposed([0, 3, 1, 2])
      builder[PredictionNotes.self].tokenMaps.insert(maps.value)
      return maps
    }
  }
}
