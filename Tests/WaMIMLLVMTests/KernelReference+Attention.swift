import Foundation
import WaMIMCompiler

extension KernelReference {
  private func element(_ tokens: TokenRows, _ unit: Int, _ token: Int, _ channel: Int) -> Int {
    unit * kernel.arguments[tokens.argument].unitStride + tokens.offset + token * tokens.rowStride + channel
  }

  /// One head's rows, in double precision.
  private func rows(_ tokens: TokenRows, _ count: Int, _ shape: AttentionShape, unit: Int, head: Int) -> [[Double]] {
    (0..<count).map { token in
      (0..<shape.headWidth).map { channel in
        Double(arrays[tokens.argument][element(tokens, unit, token, head * shape.headWidth + channel)])
      }
    }
  }

  private mutating func write(_ rows: [[Double]], _ tokens: TokenRows, _ shape: AttentionShape, unit: Int, head: Int) {
    for (token, row) in rows.enumerated() {
      for (channel, number) in row.enumerated() {
        arrays[tokens.argument][element(tokens, unit, token, head * shape.headWidth + channel)] = Float(number)
      }
    }
  }

  private func product(_ left: [[Double]], _ right: [[Double]]) -> [[Double]] {
    left.map { row in
      (0..<(right.first?.count ?? 0)).map { column in zip(row, right).map { $0 * $1[column] }.reduce(0, +) }
    }
  }

  private func transposed(_ matrix: [[Double]]) -> [[Double]] {
    (0..<(matrix.first?.count ?? 0)).map { column in matrix.map { $0[column] } }
  }

  private func probabilities(_ query: [[Double]], _ key: [[Double]], _ shape: AttentionShape) -> [[Double]] {
    product(query, transposed(key)).map { row in
      let largest = row.max() ?? 0
      let powers = row.map { exp(($0 - largest) * Double(shape.scale)) }
      return powers.map { $0 / powers.reduce(0, +) }
    }
  }

  mutating func run(_ attention: AttentionKernel, unit: Int) {
    let shape = attention.shape
    for head in 0..<shape.heads {
      let query = rows(attention.query, shape.queryCount, shape, unit: unit, head: head)
      let key = rows(attention.key, shape.keyCount, shape, unit: unit, head: head)
      let value = rows(attention.value, shape.keyCount, shape, unit: unit, head: head)
      write(product(probabilities(query, key, shape), value), attention.result, shape, unit: unit, head: head)
    }
  }

  mutating func run(_ gradient: AttentionGradientKernel, unit: Int) {
    let shape = gradient.shape
    for head in 0..<shape.heads {
      let query = rows(gradient.query, shape.queryCount, shape, unit: unit, head: head)
      let key = rows(gradient.key, shape.keyCount, shape, unit: unit, head: head)
      let value = rows(gradient.value, shape.keyCount, shape, unit: unit, head: head)
      let result = rows(gradient.gradient, shape.queryCount, shape, unit: unit, head: head)
      let weights = probabilities(query, key, shape)
      let scores = zip(weights, product(result, transposed(value))).map { weights, gradients in
        let mean = zip(weights, gradients).map { $0 * $1 }.reduce(0, +)
        return zip(weights, gradients).map { $0 * ($1 - mean) * Double(shape.scale) }
      }
      if let target = gradient.queryGradient { write(product(scores, key), target, shape, unit: unit, head: head) }
      if let target = gradient.keyGradient { write(product(transposed(scores), query), target, shape, unit: unit, head: head) }
      if let target = gradient.valueGradient {
        write(product(transposed(weights), result), target, shape, unit: unit, head: head)
      }
    }
  }
}
