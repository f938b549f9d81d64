import Testing

/// Compiled pieces of larger values, which are computed where they are wanted: side by side, and among zeros.
struct JointTests {
  /// Weights, biases and tables of which pieces are used beside the whole, along either axis, with holes and within each other.
  static let source = """
    model joints
    input images: f32[4, 1, 8, 8]
    let x = patches(images, 4)
    let rows    = parameter(name: "rows", shape: [12, 16], initial: normal(0.5))
    let columns = parameter(name: "columns", shape: [16, 12], initial: normal(0.5))
    let bias    = parameter(name: "bias", shape: [12], initial: normal(0.5))
    let table   = parameter(name: "table", shape: [4, 12], initial: normal(0.5))
    let a = matmul(x, rows, transpose_right: true) + bias
    let b = matmul(x * x, slice(rows, axis: 0, start: 4, count: 8, step: 1), transpose_right: true)
    let c = matmul(tanh(x), slice(rows, axis: 0, start: 0, count: 3, step: 1), transpose_right: true)
    let d = matmul(x, slice(columns, axis: 1, start: 2, count: 5, step: 1)) + slice(bias, axis: 0, start: 3, count: 5, step: 1)
    let e = matmul(x * 0.5, slice(columns, axis: 1, start: 7, count: 5, step: 1))
    let left  = tanh(slice(table, axis: 1, start: 0, count: 6, step: 1)) * slice(a, axis: 2, start: 0, count: 6, step: 1)
    let right = exp(slice(table, axis: 1, start: 6, count: 4, step: 1)) * slice(a, axis: 2, start: 6, count: 4, step: 1)
    let sums = concatenate(reshape(sum(left, axes: [0]), shape: [4, 6]), reshape(sum(right, axes: [1]), shape: [4, 4]),
      reshape(tanh(sum(b, axes: [1])), shape: [4, 8]), axis: 1)
    let nested = concatenate(sums, concatenate(tanh(sums), reshape(sum(d, axes: [0]), shape: [4, 5]), axis: 1), axis: 1)
    let sparse = pad(tanh(b), axis: 1, start: 1, extent: 7, step: 1) + pad(tanh(b * 2.0), axis: 1, start: 0, extent: 7, step: 2)
    output "nested" = nested
    output "sparse" = sparse
    loss total(nested * nested) + total(sparse * sparse) + total(tanh(c)) + total(e * d)
    """

  @Test(arguments: [[], ["--disable", "hoist-columns"], ["--disable", "fuse"]])
  func gradientsAgreeWithTheInterpreter(options: [String]) throws {
    let compared = try AgreementTests.checkGradients(of: Self.source, options: options, seed: 29, tolerance: 1e-5)
    #expect(compared.count { $0.hasPrefix("grad.") } == 4)
  }
}
