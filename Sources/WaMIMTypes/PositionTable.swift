import Glibc

/// MAE's fixed two-dimensional sine–cosine table of positions (arXiv 2111.06377, after Vaswani et al., arXiv 1706.03762).
///
/// The first half of the channels encodes the column, the second the row; within a half, sines come before cosines.
package enum PositionTable {
  /// The table [grid² (+ 1), width] in row-major order; the row of the class token is zero.
  package static func elements(width: Int, grid: Int, classToken: Bool) -> [Float] {
    var elements = [Float](repeating: 0, count: classToken ? width : 0)
    elements.reserveCapacity((grid * grid + 1) * width)
    for row in 0..<grid {
      for column in 0..<grid { elements += encoding(of: column, width: width / 2) + encoding(of: row, width: width / 2) }
    }
    return elements
  }

  private static func encoding(of position: Int, width: Int) -> [Float] {
    let count = width / 2
    let angles = (0..<count).map { Double(position) / pow(10000, Double($0) / Double(count)) }
    return angles.map { Float(sin($0)) } + angles.map { Float(cos($0)) }
  }
}
