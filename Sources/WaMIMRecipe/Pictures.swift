import WaMIMTypes

/// How predictions become pictures.
public enum Pictures: Codable, Sendable, Hashable {
  /// Outputs `prediction.K` and `target.K` hold wavelet coefficients, [batch, channels · subbands, height, width], of `levels[K]`.
  ///
  /// `subbands` is `detail` or `all`, `normalization` is `none`, `subband` or `token`, as the model's options of these names.
  case wavelet(wavelet: Wavelet, levels: [Int], subbands: String, normalization: String)
  /// Output `prediction.0` holds pixels, [batch, positions, channels · patch · patch], in the order of the grid of patches.
  case patches(patch: Int, normalized: Bool)
  /// Outputs `prediction.K` hold pixels of cells of `patches[K]` · `patches[K]` of them, [batch, patch · patch · channels, rows, columns]:
  /// row, column, colour where each cell is normalised, over n - 1, and colour, row, column where not.
  case cells(patches: [Int], normalized: Bool)
}
