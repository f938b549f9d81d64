import Foundation
import TestSupport
import Testing
import WaMIMGraph
import WaMIMInterpreter
import WaMIMLayers

/// Swin on grids that its windows do not tile, beside mmsegmentation's way there written out.
struct PaddedSwinTests {
  /// Two blocks on a grid, the second one shifted where there are several windows.
  @Test(arguments: [(grid: 5, window: 4), (6, 4), (7, 3), (5, 2), (6, 3), (3, 4)])
  func blocksAttendToZerosBehindTheGrid(grid: Int, window: Int) throws {
    let (dim, heads) = (6, 2)
    let builder = GraphBuilder(name: "padded")
    let images = builder.input("images", [2, 3, grid, grid])
    let swin = Swin(patch: 1, window: window, dim: dim, depths: [2], heads: [heads])
    builder.output("y", swin.stages(of: images)[0])
    let graph = try builder.finish()
    var generator = SeededGenerator(seed: UInt64(grid * 10 + window))
    var sources = graph.randomSources(using: &generator)
    let result = try #require(try Interpreter(graph).evaluate(sources)["y"])
    let count = grid * grid
    for sample in 0..<2 {
      let pixels = (0..<count).map { cell in
        (0..<3).map { channel in (sources["images"] ?? [])[(sample * 3 + channel) * count + cell] }
      }
      let plain = PlainSwin(numbers: sources, grid: grid, window: min(window, grid), heads: heads)
      var x = plain.normed(plain.linear(pixels, "patch_embed.proj"), "patch_embed.norm")
      for block in 0..<2 {
        x = plain.block(x, "layers.0.blocks.\(block)", shift: block == 1 && grid > window ? window / 2 : 0)
      }
      let actual = Array(result.elements[sample * count * dim..<(sample + 1) * count * dim])
      #expect(relativeError(actual, x.flatMap { $0 }) < 2e-6)
    }
  }

  /// Visible tokens alone have no zeros beside them.
  @Test func masksNeedWindowsThatTile() {
    let builder = GraphBuilder(name: "masked")
    let images = builder.input("images", [1, 3, 5, 5])
    let swin = Swin(patch: 1, window: 4, dim: 6, depths: [2], heads: [2])
    builder.output("y", swin(images, visibleIn: builder.randomMask(of: images, patch: 1, ratio: 0.5))[0])
    #expect { try builder.finish() } throws: { "\($0)".contains("windows of 4 × 4 tokens do not tile the grid of stage 1, 5 × 5") }
  }
}

/// Blocks of a Swin on the tokens of one image, a row each, line by line.
private struct PlainSwin {
  typealias Rows = [[Double]]

  let numbers: [String: [Double]]
  let grid, window, heads: Int

  func linear(_ x: Rows, _ name: String) -> Rows {
    let (weight, bias) = (numbers["\(name).weight"] ?? [], numbers["\(name).bias"] ?? [])
    return x.map { row in
      bias.indices.map { output in
        row.indices.reduce(bias[output]) { $0 + row[$1] * weight[output * row.count + $1] }
      }
    }
  }

  func normed(_ x: Rows, _ name: String) -> Rows {
    let (weight, bias) = (numbers["\(name).weight"] ?? [], numbers["\(name).bias"] ?? [])
    return x.map { row in
      let mean = row.reduce(0, +) / Double(row.count)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
      return row.indices.map { (row[$0] - mean) / (variance + 1e-5).squareRoot() * weight[$0] + bias[$0] }
    }
  }

  func block(_ x: Rows, _ name: String, shift: Int) -> Rows {
    let attended = linear(attention(normed(x, "\(name).norm1"), "\(name).attn", shift), "\(name).attn.proj")
    let sum = zip(x, attended).map { zip($0, $1).map(+) }
    let hidden = linear(normed(sum, "\(name).norm2"), "\(name).mlp.fc1").map { row in
      row.map { 0.5 * $0 * (1 + erf($0 / 2.0.squareRoot())) }
    }
    return zip(sum, linear(hidden, "\(name).mlp.fc2")).map { zip($0, $1).map(+) }
  }

  /// Zeros behind the grid, a cyclic shift, attention in windows with -100 between regions, and the way back.
  private func attention(_ x: Rows, _ name: String, _ shift: Int) -> Rows {
    let side = (grid + window - 1) / window * window
    let zero = [Double](repeating: 0, count: x[0].count)
    /// Where a cell of the shifted grid comes from.
    func source(_ cell: Int) -> (row: Int, column: Int) { ((cell / side + shift) % side, (cell % side + shift) % side) }
    let shifted = linear(
      (0..<side * side).map { cell in
        let (row, column) = source(cell)
        return row < grid && column < grid ? x[row * grid + column] : zero
      }, "\(name).qkv")
    func region(_ line: Int) -> Int { line < side - window ? 0 : line < side - shift ? 1 : 2 }
    func regions(_ cell: Int) -> [Int] { shift == 0 ? [] : [region(cell / side), region(cell % side)] }
    func windows(_ cell: Int) -> [Int] { [cell / side / window, cell % side / window] }
    var result = x
    for cell in 0..<side * side {
      let (row, column) = source(cell)
      guard row < grid, column < grid else { continue }
      let others = (0..<side * side).filter { windows($0) == windows(cell) }
      result[row * grid + column] = (0..<heads).flatMap { head in
        mixed(cell, others, shifted, name, head, side) { regions($0) == regions(cell) ? 0 : -100 }
      }
    }
    return result
  }

  /// What one head makes of the tokens of a window for one of them.
  private func mixed(
    _ cell: Int, _ others: [Int], _ joined: Rows, _ name: String, _ head: Int, _ side: Int, mask: (Int) -> Double
  ) -> [Double] {
    let width = joined[0].count / 3
    let size = width / heads
    let table = numbers["\(name).relative_position_bias_table"] ?? []
    let logits = others.map { other in
      let dot = (head * size..<(head + 1) * size).reduce(0) { $0 + joined[cell][$1] * joined[other][width + $1] }
      let down = cell / side - other / side + window - 1
      let right = cell % side - other % side + window - 1
      return dot / Double(size).squareRoot() + table[(down * (2 * window - 1) + right) * heads + head] + mask(other)
    }
    let most = logits.max() ?? 0
    let shares = logits.map { exp($0 - most) }
    let total = shares.reduce(0, +)
    return (0..<size).map { index in
      zip(others, shares).reduce(0) { $0 + joined[$1.0][2 * width + head * size + index] * $1.1 / total }
    }
  }
}
