import WaMIMLayers
import WaMIMRecipe

extension Pictures {
  /// The pictures of the predictions that `notes` tell of, or nil where a target is of unknown origin or they do not belong together.
  init?(_ notes: PredictionNotes) {
    let known = notes.targets.compactMap { $0 }
    guard let first = known.first, known.count == notes.targets.count else { return nil }
    switch first {
    case .wavelet(let first): self.init(wavelets: known, like: first)
    case .pixels(_, let normalized): self.init(pixels: known, normalized: normalized)
    }
  }

  private init?(wavelets origins: [TargetOrigin], like first: WaveletOrigin) {
    var levels: [Int] = []
    for origin in origins {
      guard case .wavelet(let origin) = origin, origin.wavelet == first.wavelet, origin.subbands == first.subbands,
        origin.normalization == first.normalization
      else { return nil }
      levels.append(origin.level)
    }
    self = .wavelet(
      wavelet: first.wavelet, levels: levels, subbands: first.subbands.rawValue, normalization: first.normalization.rawValue)
  }

  private init?(pixels origins: [TargetOrigin], normalized: Bool) {
    var patches: [Int] = []
    for origin in origins {
      guard case .pixels(let patch, normalized) = origin else { return nil }
      patches.append(patch)
    }
    self = .cells(patches: patches, normalized: normalized)
  }
}
