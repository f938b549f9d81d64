import WaMIMGraph

/// Which subbands of a wavelet level are predicted.
public enum Subbands: String, Hashable, Sendable, CaseIterable {
  /// LH, HL and HH.
  case detail
  /// LL too.
  case all
}

/// What wavelet coefficients are normalised over.
public enum TargetNormalization: String, Hashable, Sendable, CaseIterable {
  case none
  /// Over the positions of each image's each channel and subband.
  case subband
  /// Over the channels and subbands of each position.
  case token
}

extension Tensor {
  /// The wavelet coefficients of images [batch, channels, height, width] at each of `levels`, finest level 1.
  ///
  /// Each result is [batch, channels · subbands, height / 2^level, width / 2^level], colour-major, subband-minor: what PyWavelets'
  /// `wavedec2(…, mode="periodization")` gives, LL (cA), LH (cH), HL (cV) and HH (cD) in this order.
  public func wavelet(_ wavelet: Wavelet, levels: [Int], subbands: Subbands, file: String = #fileID, line: Int = #line) -> [Tensor]
  {
    builder.located(file, line) {
      guard shape.rank == 4, let deepest = levels.max(), let finest = levels.min(), finest >= 1 else {
        builder.fail("wavelet levels count from 1 and need images [batch, channels, height, width], not \(type)")
        return levels.map { _ in self }
      }
      guard deepest < 32, shape[2] % (1 << deepest) == 0, shape[3] % (1 << deepest) == 0 else {
        let most = min(shape[2].trailingZeroBitCount, shape[3].trailingZeroBitCount)
        builder.fail(
          "images of \(shape[2]) × \(shape[3]) cannot be halved \(deepest) times, as level \(deepest) needs: "
            + (most == 0 ? "their extents have to be even" : "after level \(most) an extent is odd"))
        return levels.map { _ in self }
      }
      var approximation = self
      var found: [Int: Tensor] = [:]
      for level in 1...deepest {
        let bands = builder.add(.waveletAnalysis(wavelet), [approximation])
        let kept = subbands == .detail ? bands.sliced(2, 1..<4) : bands
        let shape = kept.shape
        found[level] = kept.reshaped([shape[0], shape[1] * shape[2], shape[3], shape[4]])
        approximation = bands.sliced(2, 0..<1).reshaped([shape[0], shape[1], shape[3], shape[4]])
      }
      let targets = levels.map { found[$0] ?? self }
      for (level, target) in zip(levels, targets) {
        builder[PredictionNotes.self].origins[target.value] = .wavelet(
          WaveletOrigin(wavelet: wavelet, level: level, subbands: subbands, normalization: .none))
      }
      return targets
    }
  }

  /// Coefficients [batch, channels, height, width] with zero mean and unit variance, as `normalization` says.
  public func normalized(_ normalization: TargetNormalization, epsilon: Float = 1e-6) -> Tensor {
    guard shape.rank == 4 else {
      builder.fail("a target has to be [batch, channels, height, width], not \(type)")
      return self
    }
    let positions = reshaped([shape[0], shape[1], shape[2] * shape[3]])
    let result: Tensor
    switch normalization {
    case .none: return self
    case .subband: result = positions.standardized([2], epsilon: epsilon).reshaped(shape)
    case .token: result = positions.standardized([1], epsilon: epsilon).reshaped(shape)
    }
    if case .wavelet(var origin)? = builder[PredictionNotes.self].origins[value] {
      origin.normalization = normalization
      builder[PredictionNotes.self].origins[result.value] = .wavelet(origin)
    }
    return result
  }
}
