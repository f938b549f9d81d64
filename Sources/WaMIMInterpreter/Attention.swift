import Foundation
import WaMIMGraph

/// Softmax attention of queries [b, n, c] over keys and values [b, m, c], head by head.
struct AttentionProblem {
  private let query: DenseTensor
  private let key: DenseTensor
  private let value: DenseTensor
  private let heads: Int
  /// The channels of one head.
  private let width: Int
  private let scale: Double

  init(_ query: DenseTensor, _ key: DenseTensor, _ value: DenseTensor, heads: Int) {
    (self.query, self.key, self.value, self.heads) = (query, key, value, heads)
    width = query.shape[2] / heads
    scale = 1 / Double(width).squareRoot()
  }

  /// softmax(q kᵀ · scale) v.
  func result() -> [Double] {
    var result = zeros(query.shape)
    forEachQuery { sample, head, row in
      let weights = weights(sample, head, row)
      for (other, weight) in weights.enumerated() {
        for channel in channels(head) {
          result[offset(query, sample, row, channel)] += weight * value.elements[offset(value, sample, other, channel)]
        }
      }
    }
    return result
  }

  /// The gradient for `operand`, given the gradient of the result.
  ///
  /// With weights P = softmax(S): dV = Pᵀ dO, dP = dO Vᵀ, dS = P · (dP - Σ P · dP), dQ = dS K · scale, dK = dSᵀ Q · scale.
  func gradient(of operand: AttentionOperand, from gradient: DenseTensor) -> [Double] {
    var result = zeros(operand == .query ? query.shape : key.shape)
    forEachQuery { sample, head, row in
      let weights = weights(sample, head, row)
      if operand == .value {
        for (other, weight) in weights.enumerated() {
          for channel in channels(head) {
            result[offset(value, sample, other, channel)] += weight * gradient.elements[offset(query, sample, row, channel)]
          }
        }
        return
      }
      let weightGradients = weights.indices.map { dot(gradient, row, value, $0, sample, head) }
      let mean = zip(weights, weightGradients).reduce(0) { $0 + $1.0 * $1.1 }
      for (other, weight) in weights.enumerated() {
        let score = weight * (weightGradients[other] - mean) * scale
        for channel in channels(head) {
          let (here, there) = (offset(query, sample, row, channel), offset(key, sample, other, channel))
          if operand == .query {
            result[here] += score * key.elements[there]
          } else {
            result[there] += score * query.elements[here]
          }
        }
      }
    }
    return result
  }

  /// The softmax of the scores of one query.
  private func weights(_ sample: Int, _ head: Int, _ row: Int) -> [Double] {
    let scores = (0..<key.shape[1]).map { dot(query, row, key, $0, sample, head) * scale }
    let largest = scores.max() ?? 0
    let exponentials = scores.map { exp($0 - largest) }
    let total = exponentials.reduce(0, +)
    return exponentials.map { $0 / total }
  }

  private func dot(_ left: DenseTensor, _ leftRow: Int, _ right: DenseTensor, _ rightRow: Int, _ sample: Int, _ head: Int) -> Double
  {
    channels(head).reduce(0) { sum, channel in
      sum + left.elements[offset(left, sample, leftRow, channel)] * right.elements[offset(right, sample, rightRow, channel)]
    }
  }

  private func channels(_ head: Int) -> Range<Int> { head * width..<(head + 1) * width }

  private func offset(_ x: DenseTensor, _ sample: Int, _ row: Int, _ channel: Int) -> Int {
    (sample * x.shape[1] + row) * x.shape[2] + channel
  }

  private func forEachQuery(_ body: (_ sample: Int, _ head: Int, _ row: Int) -> Void) {
    for sample in 0..<query.shape[0] {
      for head in 0..<heads {
        for row in 0..<query.shape[1] { body(sample, head, row) }
      }
    }
  }
}
