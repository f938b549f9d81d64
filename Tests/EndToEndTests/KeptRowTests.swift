import Testing

/// Compiled kernels that evaluate something once for each element and read it in later loops over the same row.
struct KeptRowTests {
  /// Rows kept behind a product, without one, in a sequence after a wavelet analysis, several at a time and in several rounds of
  /// reductions.
  private static func source(patch: Int) -> String {
    """
    model kept_rows
    input images: f32[4, 1, 16, 16]
    let bands = dwt(images, wavelet: haar, levels: [1], subbands: detail)[0]
    let bounded = tanh(bands) + erf(bands * 0.5)
    let spread = bounded - mean(bounded, axes: [-1])
    let x = patches(images, \(patch))
    let h = linear(x, width: 37, name: "embed")
    let rows = layer_norm(gelu(h), name: "norm") + softmax(h)
    let twice = layer_norm(tanh(rows) - max(exp(rows * 0.5), axes: [-1]) * 0.1, name: "again") + softmax(rows * 0.5)
    let y = linear(twice, width: 19, name: "out")
    let single = sum(tanh(h), axes: [1]) * 0.1
    output "centered" = single - mean(single, axes: [-1])
    output "spread" = spread
    output "rows" = rows
    let pooled = max(gelu(h * 0.5), axes: [-1]) + max(gelu(linear(x, width: 23, name: "pool")), axes: [-1])
    loss total(pooled * tanh(pooled)) + total(y * tanh(y)) + total(tanh(twice)) + total(softmax(spread) * bands)
    """
  }

  @Test(arguments: [4, 8, 16], [[], ["--matmul", "openblas"], ["--disable", "fuse"], ["--disable", "simplify"]])
  func gradientsAgreeWithTheInterpreter(patch: Int, options: [String]) throws {
    let compared = try AgreementTests.checkGradients(of: Self.source(patch: patch), options: options, seed: 47, tolerance: 1e-5)
    #expect(compared.count { $0.hasPrefix("grad.") } == 10)
  }
}
