import Foundation
import WaMIMGraph

/// Softmax attention of tokens [b, n, c] over those of their group, with a bias from a table, head by head.
struct GroupAttentionProblem {
  private let query, key, value, bias: DenseTensor
  private let heads: Int
  /// For each sample, the groups' tokens, each with its code.
  private let groups: [[[(token: Int, code: Int)]]]

  /// - Throws: `GraphError` where `groups` is no table of groups.
  init(_ operands: [DenseTensor], heads: Int) throws {
    (query, key, value, bias, self.heads) = (operands[0], operands[1], operands[2], operands[3], heads)
    groups = try GroupAttentionProblem.groups(operands[4])
  }

  private var width: Int { query.shape[2] / heads }
  private var scale: Double { 1 / Double(width).squareRoot() }

  private static func groups(_ table: DenseTensor) throws -> [[[(token: Int, code: Int)]]] {
    let count = table.shape[2]
    return try (0..<table.shape[0]).map { sample in
      let rows = (0..<3).map { row in
        table.elements[(sample * 3 + row) * count..<(sample * 3 + row + 1) * count].map { Int(exactly: $0) ?? -1 }
      }
      guard Set(rows[0]) == Set(0..<count), rows[1] == rows[1].sorted(), rows[1].allSatisfy({ 1...count ~= $0 }),
        rows[1].last == count
      else { throw GraphError("the groups of sample \(sample) are no groups of \(count) tokens") }
      var start = 0
      return rows[1].map { end in
        defer { start = end }
        return (start..<end).map { (rows[0][$0], rows[2][$0]) }
      }
    }
  }

  /// softmax(q kᵀ · scale + bias) v.
  func result() throws -> [Double] {
    var result = zeros(query.shape)
    try forEachQuery { row in
      for (other, weight) in zip(row.group, row.weights) {
        for channel in channels(row.head) {
          result[element(row, row.token, channel)] += weight * value.elements[element(row, other.token, channel)]
        }
      }
    }
    return result
  }

  /// The gradient for `operand`, given the gradient of the result.
  func gradient(of operand: AttentionOperand, from gradient: DenseTensor) throws -> [Double] {
    let biases = bias.shape.count
    var result = operand == .bias ? zeros([query.shape[0], biases]) : zeros(query.shape)
    try forEachQuery { row in
      let weightGradients = row.group.map { other in
        channels(row.head).reduce(0) {
          $0 + gradient.elements[element(row, row.token, $1)] * value.elements[element(row, other.token, $1)]
        }
      }
      let mean = zip(row.weights, weightGradients).reduce(0) { $0 + $1.0 * $1.1 }
      for (index, other) in row.group.enumerated() {
        let score = row.weights[index] * (weightGradients[index] - mean)
        if operand == .bias { result[row.sample * biases + row.biases[index]] += score }
        for channel in channels(row.head) {
          let (here, there) = (element(row, row.token, channel), element(row, other.token, channel))
          switch operand {
          case .query: result[here] += score * scale * key.elements[there]
          case .key: result[there] += score * scale * query.elements[here]
          case .value: result[there] += row.weights[index] * gradient.elements[here]
          case .bias: break
          }
        }
      }
    }
    return result
  }

  /// One query and what it looks at.
  private struct Row {
    let sample: Int
    let head: Int
    let token: Int
    let group: [(token: Int, code: Int)]
    /// For each token of the group, the element of the table of biases, and the probability.
    let biases: [Int]
    var weights: [Double] = []
  }

  private func forEachQuery(_ body: (Row) -> Void) throws {
    for (sample, groups) in groups.enumerated() {
      for head in 0..<heads {
        for group in groups {
          for (token, code) in group { body(try row(sample, head, token, code, group)) }
        }
      }
    }
  }

  private func row(_ sample: Int, _ head: Int, _ token: Int, _ code: Int, _ group: [(token: Int, code: Int)]) throws -> Row {
    let middle = bias.shape[0] / 2
    let rows = group.map { middle + code - $0.code }
    guard rows.allSatisfy({ 0..<bias.shape[0] ~= $0 }) else {
      throw GraphError("the codes of two tokens lie too far apart for a table of \(bias.shape[0]) biases")
    }
    var row = Row(sample: sample, head: head, token: token, group: group, biases: rows.map { $0 * heads + head })
    let scores = zip(group, row.biases).map { other, bias in
      let product = channels(head).reduce(0) {
        $0 + query.elements[element(row, token, $1)] * key.elements[element(row, other.token, $1)]
      }
      return product * scale + self.bias.elements[bias]
    }
    let largest = scores.max() ?? 0
    let exponentials = scores.map { exp($0 - largest) }
    let total = exponentials.reduce(0, +)
    row.weights = exponentials.map { $0 / total }
    return row
  }

  private func channels(_ head: Int) -> Range<Int> { head * width..<(head + 1) * width }

  private func element(_ row: Row, _ token: Int, _ channel: Int) -> Int {
    (row.sample * query.shape[1] + token) * query.shape[2] + channel
  }
}

/// The cells of a grid `side` times as fine that make up `cells` [b, k] of a grid, quarter by quarter.
///
/// - Throws: `GraphError` where a cell is outside the grid.
func finerIndices(_ cells: DenseTensor, grid: Int, side: Int) throws -> [Double] {
  try checked(cells, grid: grid).flatMap { cell in
    (0..<side * side).map { index in
      let inner = QuarterOrder.cell(index)
      return Double((cell / grid * side + inner.row) * grid * side + cell % grid * side + inner.column)
    }
  }
}

/// The tokens at `cells` [b, n] by the windows of `cut`: their order, the ends of the groups and their codes, [b, 3, n].
///
/// - Throws: `GraphError` where a cell is outside the grid.
func windowGroups(_ cells: DenseTensor, _ cut: WindowCut) throws -> [Double] {
  let (all, count) = (try checked(cells, grid: cut.grid), cells.shape[1])
  return stride(from: 0, to: all.count, by: count).flatMap { start in
    let cells = all[start..<start + count].map { $0 }
    let order = cells.indices.sorted { (cut.window(of: cells[$0]), $0) < (cut.window(of: cells[$1]), $1) }
    let ends = (1...count).filter { $0 == count || cut.window(of: cells[order[$0]]) != cut.window(of: cells[order[$0 - 1]]) }
    let rows = [order, ends + [Int](repeating: count, count: count - ends.count), order.map { cut.code(of: cells[$0]) }]
    return rows.flatMap { $0.map(Double.init) }
  }
}

private func checked(_ cells: DenseTensor, grid: Int) throws -> [Int] {
  try cells.elements.map { cell in
    guard let index = Int(exactly: cell), 0..<grid * grid ~= index else {
      throw GraphError("cell \(cell) lies outside a grid of \(grid) × \(grid)")
    }
    return index
  }
}
