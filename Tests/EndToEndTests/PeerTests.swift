import Foundation
import TestSupport
import Testing
import WaMIMInterpreter
import WaMIMLanguage

/// Compiled trainers of the methods that WaMIM is compared with, against the reference.
struct PeerTests {
  /// A golden case of a model of `graphs/`.
  struct Case: Sendable, CustomTestStringConvertible {
    var golden: String
    var model: String
    var settings: [String]

    var testDescription: String { golden }
  }

  private static let vit = ["image=32", "patch=4", "dim=48", "heads=3", "batch=2"]
  private static let swin = [
    "patch=2", "window=6", "dim=6", "depths=[2, 2, 3, 1]", "heads=[1, 2, 2, 4]", "image=48", "batch=2",
  ]

  /// The references' models; SimMIM's gradients are cut to half of their norm, as their own limit would do nothing.
  static let cases: [Case] = [
    Case(
      golden: "mae-vit", model: "mae_vit",
      settings: vit + ["depth=2", "decoder_dim=32", "decoder_depth=2", "decoder_heads=4"]),
    Case(
      golden: "localmim-vit", model: "localmim_vit",
      settings: vit + [
        "image=48", "patch=8", "dim=24", "depth=4", "taps=[1, 2, 3, 4]", "cells=[2, 4, 8, 16]", "decoder_dim=32", "decoder_heads=4",
      ]),
    Case(
      golden: "simmim-vit", model: "simmim_vit",
      settings: vit + ["depth=3", "unit=8", "drop_path=0.4", "clip=0.34538671374320984"]),
    Case(golden: "simmim-swin", model: "simmim_swin", settings: swin + ["clip=0.2606317400932312"]),
    Case(
      golden: "localmim-swin", model: "localmim_swin", settings: swin + ["ratio=0.6", "widths=[8, 16, 16, 16]", "decoder_heads=2"]),
    Case(
      golden: "greenmim-swin", model: "greenmim_swin",
      settings: swin + ["image=80", "window=5", "decoder_dim=24", "decoder_heads=4"]),
  ]

  @Test(arguments: cases) func theGoldenCaseHolds(golden: Case) throws {
    try AgreementTests.check(golden: golden.golden, golden.model, golden.settings, options: [])
  }

  /// Gradients that lie on borders of bins, and flat parts, whose gradients are 0.
  @Test func histogramsOfGradientsAgree() throws {
    let folder = Workshop.repository.appendingPathComponent("Tests/Golden")
    let input = try Safetensors(contentsOf: folder.appendingPathComponent("hog.in.safetensors").path)
    let expected = try Safetensors(contentsOf: folder.appendingPathComponent("hog.out.safetensors").path).tensors
    let images = try #require(input.tensors["images"])
    let text = try String(contentsOfFile: Workshop.model("localmim_vit"), encoding: .utf8)
    let functions = text[try #require(text.range(of: "func histograms")).lowerBound...]
    // Names are hog.BINS.CELL.
    let outputs = expected.keys.sorted().map { name in
      let parts = name.split(separator: ".")
      return "output \"\(name)\" = unit(histograms(images, cell: \(parts[2]), bins: \(parts[1]), shift: [0.0, 0.0]))"
    }
    let source = "model hog\ninput images: f32\(images.shape)\n" + outputs.joined(separator: "\n") + "\n" + functions
    let graph = try Language.model(source: source, file: "hog.wg").graph
    let results = try Interpreter(graph).evaluate(["images": images.elements]).results
    for (name, tensor) in expected {
      let found = try #require(results[name])
      let (cells, channels) = (tensor.shape[1], tensor.shape[2])
      // The reference has the channels of a cell together.
      let ordered = (0..<tensor.shape[0] * cells).flatMap { cell in
        (0..<channels).map { found.elements[(cell / cells * channels + $0) * cells + cell % cells] }
      }
      #expect(relativeError(ordered, tensor.elements) < 1e-5, "\(name)")
    }
  }

  /// SimMIM's ViT goes to timm's Beit, and comes back from a file of that form.
  @Test func beitsAreExported() throws {
    let workshop = try Workshop()
    let sizes = ["image=32", "patch=8", "dim=48", "depth=2", "heads=3", "batch=2"]
    try workshop.compile("simmim_vit", sizes)
    let train = workshop.path("train")
    let words = ["fit", "--data", "synthetic:4", "--limit-steps", "1", "--pictures", "0"]
    let begun = try workshop.run(train, words + ["--out", "run"])
    try #require(begun.status == 0, "\(begun.errors)")
    let exported = try workshop.run(train, ["export", "--timm", "--checkpoint", "run", "-o", "beit.safetensors"])
    try #require(exported.status == 0, "\(exported.errors)")
    #expect(exported.output.contains("img_size=32, patch_size=8, embed_dim=48, depth=2, num_heads=3"), "\(exported.output)")
    #expect(exported.output.contains("use_shared_rel_pos_bias=True, global_pool='token', num_classes=0)"), "\(exported.output)")
    let tensors = try TestSupport.Safetensors(contentsOf: workshop.path("beit.safetensors")).tensors
    #expect(tensors["rel_pos_bias.relative_position_bias_table"]?.shape == [52, 3])
    #expect(tensors.count == 1 + 2 + 1 + 2 * 15 + 2 && tensors["decoder.0.weight"] == nil)
    let again = try workshop.run(train, words + ["--init", "beit.safetensors", "--out", "again"])
    try #require(again.status == 0, "\(again.errors)")
    #expect(again.output.contains("\(tensors.count) tensors from beit.safetensors"), "\(again.output)")
  }
}
