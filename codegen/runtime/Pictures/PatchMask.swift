/// Which patches of an image are hidden: 1 for hidden, 0 for visible, on the grid of patches.
package struct PatchMask: Sendable, Equatable {
  package let rows: Int
  package let columns: Int
  package let values: [Float]

  /// The mask of an image of `height` times `width` pixels, cut into as many square patches as there are values; nil where none fit.
  package init?(_ values: [Float], height: Int, width: Int) {
    guard !values.isEmpty else { return nil }
    let patch = Int((Double(height * width) / Double(values.count)).squareRoot().rounded())
    guard patch > 0, height % patch == 0, width % patch == 0, height / patch * (width / patch) == values.count else { return nil }
    rows = height / patch
    columns = width / patch
    self.values = values
  }

  /// Whether the cell at `row` and `column` of a grid of `height` times `width` cells counts as hidden.
  ///
  /// A finer grid repeats the mask. A coarser cell counts as hidden where more than half of its patches are.
  package func isHidden(row: Int, column: Int, height: Int, width: Int) -> Bool {
    let top = row * rows / height
    let left = column * columns / width
    let bottom = max(top + 1, (row + 1) * rows / height)
    let right = max(left + 1, (column + 1) * columns / width)
    var sum: Float = 0
    for y in top..<bottom {
      for x in left..<right { sum += values[y * columns + x] }
    }
    return sum > 0.5 * Float((bottom - top) * (right - left))
  }
}
