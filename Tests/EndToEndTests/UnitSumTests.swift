import Foundation
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter
import WaMIMLanguage

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
    let workshop = try Workshop()
    let source = Self.source(patch: patch)
    let graph = try Language.graph(source: source, file: "model.wg")
    var generator = SeededGenerator(seed: 31)
    let sources = graph.randomSources(using: &generator)
    let expected = try AgreementTests.results(graph, sources)

    try source.write(toFile: workshop.path("model.wg"), atomically: true, encoding: .utf8)
    let compiled = try workshop.wamimc([workshop.path("model.wg"), "-o", workshop.path("train")] + options)
    try #require(compiled.status == 0, "\(compiled.errors)")
    try workshop.write(sources, of: graph, to: "in.safetensors")
    for threads in ["1", "3"] {
      let result = try workshop.run(
        workshop.path("train"), ["grad", "--input", "in.safetensors", "--output", "out\(threads)", "--threads", threads])
      try #require(result.status == 0, "\(result.errors)")
    }
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: workshop.path("out1")))
        == Data(contentsOf: URL(fileURLWithPath: workshop.path("out3"))))
    let actual = try Safetensors(contentsOf: workshop.path("out1"))
    #expect(expected.keys.count { $0.hasPrefix("grad.") } == 7)
    for (name, tensor) in expected {
      let found = try #require(actual.tensors[name], "no output '\(name)'")
      #expect(relativeError(found.elements, tensor.elements) < 1e-5, "\(name)")
    }
  }
}
