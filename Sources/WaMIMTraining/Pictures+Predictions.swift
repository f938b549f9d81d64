import WaMIMLayers
import WaMIMRecipe

extension Pictures {
  /// The pictures of the predictions that `notes` tell of, or nil where a target is of unknown origin or they do not belong together.
  init?(_ notes: PredictionNotes) {
    let known = notes.targets.compactMap { $0 }
    guard let first = known.first, known.count == notes.targets.count else { return nil }
    for origin in known
    where origin.wavelet != first.wavelet || origin.subbands != first.subbands || origin.normalization != first.normalization {
      return nil
    }
    self = .wavelet(
      wavelet: first.wavelet, levels: known.map(\.level), subbands: first.subbands.rawValue,
      normalization: first.normalization.rawValue)
  }
}
