import Foundation
import WaMIMCompiler
import WaMIMGraph

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
        arrays[tokens.argument][element(tokens, unit, token, head * shape.headWidth + channel)] =
          kernel.arguments[tokens.argument].element == .bfloat16 ? BFloat16.rounded(Float(number)) : Float(number)
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

extension KernelReference {
  /// A group of a sample's tokens, with their codes.
  private typealias Group = [(token: Int, code: Int)]

  private func groups(_ attention: GroupAttentionKernel, unit: Int) -> [Group] {
    let count = attention.shape.tokenCount
    let start = unit * kernel.arguments[attention.groups].unitStride
    let table = arrays[attention.groups][start..<start + 3 * count].map { Int($0) }
    var begin = 0
    return table[count..<2 * count].map { end in
      defer { begin = end }
      return (begin..<end).map { (table[$0], table[2 * count + $0]) }
    }
  }

  /// The channels of one head of tokens of a group.
  private func rows(_ tokens: TokenRows, _ group: Group, _ shape: GroupAttentionShape, unit: Int, head: Int) -> [[Double]] {
    group.map { token, _ in
      (0..<shape.headWidth).map { Double(arrays[tokens.argument][element(tokens, unit, token, head * shape.headWidth + $0)]) }
    }
  }

  private mutating func write(
    _ rows: [[Double]], _ tokens: TokenRows, _ group: Group, _ shape: GroupAttentionShape, unit: Int, head: Int
  ) {
    for (row, (token, _)) in zip(rows, group) {
      for (channel, number) in row.enumerated() {
        arrays[tokens.argument][element(tokens, unit, token, head * shape.headWidth + channel)] =
          kernel.arguments[tokens.argument].element == .bfloat16 ? BFloat16.rounded(Float(number)) : Float(number)
      }
    }
  }

  /// The element of the table of biases for a query and a key.
  private func bias(_ shape: GroupAttentionShape, _ query: Int, _ key: Int, head: Int) -> Int {
    (shape.biasCount / 2 + query - key) * shape.heads + head
  }

  private func probabilities(_ attention: GroupAttentionKernel, _ group: Group, unit: Int, head: Int) -> [[Double]] {
    let shape = attention.shape
    let query = rows(attention.query, group, shape, unit: unit, head: head)
    let key = rows(attention.key, group, shape, unit: unit, head: head)
    return zip(group, product(query, transposed(key))).map { query, scores in
      let biased = zip(group, scores).map { key, score in
        score * Double(shape.scale) + Double(arrays[attention.bias][bias(shape, query.code, key.code, head: head)])
      }
      let powers = biased.map { exp($0 - (biased.max() ?? 0)) }
      return powers.map { $0 / powers.reduce(0, +) }
    }
  }

  mutating func run(_ attention: GroupAttentionKernel, unit: Int) {
    for group in groups(attention, unit: unit) {
      for head in 0..<attention.shape.heads {
        let value = rows(attention.value, group, attention.shape, unit: unit, head: head)
        let result = product(probabilities(attention, group, unit: unit, head: head), value)
        write(result, attention.result, group, attention.shape, unit: unit, head: head)
      }
    }
  }

  mutating func run(_ gradient: GroupAttentionGradientKernel, unit: Int) {
    let (attention, shape) = (gradient.attention, gradient.attention.shape)
    var biases = [Double](repeating: 0, count: shape.biasCount * shape.heads)
    for group in groups(attention, unit: unit) {
      for head in 0..<shape.heads {
        let result = rows(attention.result, group, shape, unit: unit, head: head)
        let query = rows(attention.query, group, shape, unit: unit, head: head)
        let key = rows(attention.key, group, shape, unit: unit, head: head)
        let value = rows(attention.value, group, shape, unit: unit, head: head)
        let weights = probabilities(attention, group, unit: unit, head: head)
        let scores = zip(weights, product(result, transposed(value))).map { weights, gradients in
          let mean = zip(weights, gradients).map { $0 * $1 }.reduce(0, +)
          return zip(weights, gradients).map { $0 * ($1 - mean) }
        }
        for (query, row) in zip(group, scores) {
          for (key, score) in zip(group, row) { biases[bias(shape, query.code, key.code, head: head)] += score }
        }
        func scaled(_ rows: [[Double]]) -> [[Double]] { rows.map { $0.map { $0 * Double(shape.scale) } } }
        let results = [
          (gradient.queryGradient, scaled(product(scores, key))),
          (gradient.keyGradient, scaled(product(transposed(scores), query))),
          (gradient.valueGradient, product(transposed(weights), result)),
        ]
        for case (let target?, let rows) in results { write(rows, target, group, shape, unit: unit, head: head) }
      }
    }
    guard let argument = gradient.biasGradient else { return }
    for (element, number) in biases.enumerated() {
      arrays[argument][unit * kernel.arguments[argument].unitStride + element] = Float(number)
    }
  }
}
