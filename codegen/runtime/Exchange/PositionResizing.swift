import WaMIMManifest

/// Tables of positions [1 + grid², width] for another grid, as MAE makes them for fine-tuning (`util/pos_embed.py`).
///
/// The rows of patches are resized as an image is: bicubically with a = -0.75, centres of pixels on centres, not antialiased, edges
/// repeated, which is PyTorch's `interpolate`. The class token's row stays.
package enum PositionResizing {
  /// What the metadata of a checkpoint calls the side of the grid that its fixed table of positions is for.
  static let gridKey = "position_grid"

  /// `table`, one of a grid of side `old`, for a grid of side `new`.
  package static func resized(_ table: [Float], from old: Int, to new: Int) -> [Float] {
    let width = table.count / (1 + old * old)
    guard old != new, width > 0 else { return table }
    let taps = (0..<new).map { Self.taps(of: $0, from: old, to: new) }
    var result = Array(table[..<width])
    result.reserveCapacity((1 + new * new) * width)
    for row in taps {
      for column in taps {
        var sum = [Double](repeating: 0, count: width)
        for (y, rowWeight) in row {
          for (x, columnWeight) in column {
            let start = (1 + y * old + x) * width
            let weight = rowWeight * columnWeight
            for channel in 0..<width { sum[channel] += weight * Double(table[start + channel]) }
          }
        }
        result += sum.map { Float($0) }
      }
    }
    return result
  }

  /// The cells along a side of the old grid that make up the cell `index` of the new one, and their weights.
  private static func taps(of index: Int, from old: Int, to new: Int) -> [(Int, Double)] {
    let centre = (Double(index) + 0.5) * Double(old) / Double(new) - 0.5
    let first = Int(centre.rounded(.down))
    let fraction = centre - Double(first)
    return (-1...2).map { offset in
      (min(max(first + offset, 0), old - 1), CubicConvolution.pytorch.weight(at: Double(offset) - fraction))
    }
  }
}
