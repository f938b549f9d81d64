extension KernelBody {
  /// Multiplications and additions that matrix products and attention make in `units` units together.
  package func productFlops(units: Int) -> Int {
    switch self {
    case .matmul(let kernel): kernel.productFlops(units: units)
    case .attention(let kernel): 2 * kernel.shape.productFlops * units
    case .attentionGradient(let kernel): kernel.products * kernel.shape.productFlops * units
    case .groupAttention(let kernel): 2 * kernel.shape.productFlops * units
    case .groupAttentionGradient(let kernel): kernel.products * kernel.attention.shape.productFlops * units
    case .parallel(let kernel):
      kernel.groups.reduce(0) { $0 + $1.count * $1.kernel.body.productFlops(units: $1.units) }
    case .rows, .columns, .index, .wavelet, .sequence: 0
    }
  }
}

extension MatmulKernel {
  /// Multiplications and additions of the product in `units` units together, or in all blocks of its rows.
  package func productFlops(units: Int) -> Int {
    switch partition {
    case .samples, .rows: 2 * m * n * k
    case .products(let batches): 2 * m * n * k * batches * units
    }
  }
}

extension AttentionGradientKernel {
  /// Products of matrices: the scores once more, the gradient of the probabilities, and what is wanted.
  fileprivate var products: Int { 2 + [queryGradient, keyGradient, valueGradient].count { $0 != nil } }
}

extension GroupAttentionGradientKernel {
  /// Products of matrices, as of attention's gradient.
  fileprivate var products: Int { 2 + [queryGradient, keyGradient, valueGradient].count { $0 != nil } }
}

extension GroupAttentionShape {
  /// Multiplications and additions of one product of all heads in one sample, on average.
  fileprivate var productFlops: Int { 2 * expectedPairs * heads * headWidth }
}

extension AttentionShape {
  /// Multiplications and additions of one product of all heads, such as queries times keys, in one sample.
  fileprivate var productFlops: Int { 2 * queryCount * keyCount * heads * headWidth }
}

extension WaveletKernel {
  /// Multiplications and additions that a unit takes, for the subbands that anybody wants.
  var flops: Int {
    func taps(_ filters: Filters) -> [Int] { [filters.low.count, filters.high.count] }
    let (down, along) = (taps(verticalFilters), taps(horizontalFilters))
    let products = (0...1).reduce(0) { total, pass in
      let wanted = (0...1).filter { bands[2 * $0 + pass] != nil }
      // What a filter down the columns leaves has two elements for each coefficient.
      return total + (wanted.isEmpty ? 0 : 2 * down[pass]) + wanted.reduce(0) { $0 + along[$1] }
    }
    return 2 * products * channels * rows * columns
  }
}
