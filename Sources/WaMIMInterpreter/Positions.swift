import Foundation
import WaMIMGraph

/// MAE's sine-cosine table of positions on a square grid, a zero row first where there is a class token.
///
/// The first half of the channels encodes the column, the second the row; each half holds sines, then cosines, of the position
/// times frequencies that fall from 1 towards 1 / 10000.
func positionTable(width: Int, grid: Int, classToken: Bool) -> [Double] {
  let frequencies = (0..<width / 4).map { pow(10000, -Double($0) / Double(width / 4)) }
  func axis(_ position: Int) -> [Double] {
    let angles = frequencies.map { Double(position) * $0 }
    return angles.map(sin) + angles.map(cos)
  }
  var table = [Double](repeating: 0, count: classToken ? width : 0)
  for row in 0..<grid {
    for column in 0..<grid { table += axis(column) + axis(row) }
  }
  return table
}
