import Testing

/// Compiled sums of the rows of samples, which whoever computes the rows takes.
struct UnitSumTests {
  /// Sums of a product, of elementwise values and of normalized rows, each used as it is, by its own rows again, and over the batch.
  private static func source(patch: Int) -> String {
    """
    model unit_sums
    input images: f32[4, 1, 8, 8]
    let x = patches(images, \(patch))
    let scale = parameter(name: "scale", shape: [20], initial: normal(0.5))
    let h = linear(x, width: 20, name: "embed")
    let centered = h - sum(h, axes: [1]) * 0.25
    let rows = layer_norm(gelu(centered), name: "norm") * scale
    let pooled = sum(rows, axes: [1])
    let whole = sum(rows * rows, axes: [0, 1])
    let y = tanh(rows * 0.1 + pooled * tanh(pooled)) + linear(rows, width: 20, name: "out")
    output "pooled" = pooled
    output "whole" = whole
    loss total(y * whole) * 0.01 + total(sum(y, axes: [1]) * pooled) + total(exp(sum(tanh(h), axes: [0, 1]) * 0.1))
    """
  }

  @Test(arguments: [2, 4, 8], [[], ["--matmul", "openblas"], ["--disable", "fuse"]])
  func gradientsAgreeWithTheInterpreter(patch: Int, options: [String]) throws {
    let source = Self.source(patch: patch)
    let compared = try AgreementTests.checkGradients(of: source, options: options, seed: 31, tolerance: 1e-5)
    #expect(compared.count { $0.hasPrefix("grad.") } == 7)
  }
}
