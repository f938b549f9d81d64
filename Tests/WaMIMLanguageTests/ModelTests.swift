import Foundation
import Testing
import WaMIMGraph
import WaMIMLanguage
import WaMIMLayers
import WaMIMTraining

/// The models that come with the compiler.
@Suite struct ModelTests {
  @Test("there are five ViTs and four Swins")
  func exist() {
    let names =
      ["demo", "tiny", "small", "base", "large"].map { "vit_\($0)" } + ["demo", "tiny", "small", "base"].map { "swin_\($0)" }
    for name in names { #expect(modelPaths.contains { $0.hasSuffix("/wamim_\(name).wg") }, "\(name)") }
  }

  private static let (vitPaths, swinPaths) = (
    modelPaths.filter { $0.contains("/wamim_vit_") }, modelPaths.filter { $0.contains("/wamim_swin_") }
  )

  @Test("every model compiles, computes something, and prints as text that describes it", arguments: modelPaths)
  func roundTrip(path: String) throws {
    let model = try Language.model(contentsOf: path)
    #expect(!model.roles.isEmpty)
    #expect(model.graph.loss != nil || model.roles == [.features])
    let text = Language.print(model)
    let again = try Language.model(source: text, file: "dump.wg")
    #expect(again.withoutLocations == model.withoutLocations)
    #expect(Language.print(again) == text)
  }

  @Test("every model of masked wavelets declares its knobs under the same names", arguments: vitPaths + swinPaths)
  func knobs(path: String) throws {
    let own = Self.swinPaths.contains(path) ? ["window", "depths", "tap"] : ["depth", "taps"]
    let names =
      own
      + "image patch dim heads ratio levels weights wavelet subbands normalization decoder_dim decoder_heads batch"
      .split(separator: " ").map(String.init)
    let error = #expect(throws: DiagnosticError.self) {
      try Language.model(contentsOf: path, overrides: [Override(name: "unheard_of", expression: "1")])
    }
    for name in names { #expect(error?.description.contains(name) == true, "\(name)") }
  }

  @Test("the golden model has the reference's parameters, by name and shape", arguments: vitPaths)
  func goldenParameters(path: String) throws {
    let settings = "image=32 patch=4 dim=48 depth=4 heads=3 taps=[1,2,3,4] levels=[1,2,3,4] decoder_dim=32 decoder_heads=4 batch=3"
    let overrides = try settings.split(separator: " ").map { try Override(String($0)) }
    let model = try Language.model(contentsOf: path, overrides: overrides)
    var parameters: [String: [Int]] = [:]
    for case .parameter(let name, let shape, _, _) in model.graph.nodes.map(\.operation) { parameters[name] = shape.dimensions }
    #expect(parameters == ReferenceNames(image: 32, patch: 4, dim: 48, depth: 4, decoder: 32, levels: [1, 2, 3, 4]).shapes)
    #expect(model.graph.batch == 3)
    #expect(model.graph.outputs.map(\.name).contains("target.3"))
  }

  @Test("a probe trains its head alone", arguments: modelPaths.filter { $0.contains("/probe_") })
  func frozenEncoders(path: String) throws {
    for case .parameter(let name, _, _, let group) in try Language.model(contentsOf: path).graph.nodes.map(\.operation) {
      #expect(group.isFrozen == !name.hasPrefix("head."), "\(name)")
    }
  }

  @Test("all parameters of a block have as many layers above them", arguments: modelPaths.filter { $0.contains("/finetune_") })
  func layersOfBlocks(path: String) throws {
    var blocks: [String: Set<Int>] = [:]
    for case .parameter(let name, _, _, let group) in try Language.model(contentsOf: path).graph.nodes.map(\.operation) {
      guard let range = name.range(of: #"^.*blocks\.[0-9]+"#, options: .regularExpression) else { continue }
      blocks[String(name[range]), default: []].insert(group.layersAbove)
    }
    #expect(!blocks.isEmpty && blocks.values.allSatisfy { $0.count == 1 }, "\(blocks.filter { $0.value.count > 1 })")
  }

  @Test("relative position biases are never decayed", arguments: swinPaths)
  func decay(path: String) throws {
    var tables = 0
    for case .parameter(let name, let shape, _, let group) in try Language.model(contentsOf: path).graph.nodes.map(\.operation) {
      let isTable = name.hasSuffix(".attn.relative_position_bias_table")
      tables += isTable ? 1 : 0
      #expect(group.decays(shape) == (shape.rank >= 2 && !isTable), "\(name)")
    }
    #expect(tables >= 12)
  }

  @Test("a Swin of wrong sizes is refused with what to do", arguments: swinMistakes)
  func wrongSizes(setting: String, message: String) throws {
    let path = try #require(Self.swinPaths.first { $0.hasSuffix("base.wg") })
    let error = #expect(throws: DiagnosticError.self) {
      try Language.model(contentsOf: path, overrides: setting.split(separator: "; ").map { try Override(String($0)) })
    }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
  }

  private static let swinMistakes = [
    ("window=6", "windows of 6 × 6 tokens do not tile the grid of stage 1, 56 × 56: choose the image"),
    ("window=8", "windows of 8 × 8 tokens do not tile the grid of stage 2, 28 × 28"),
    ("heads=[4, 8, 5, 32]", "5 heads do not divide the width of stage 3, 512"),
    ("heads=[4, 8, 16]", "depths and heads have to say for each of 1 to 8 stages"),
    ("depths=[2, 2, 18]", "depths has to have four numbers"),
    ("image=208", "patches of 32 × 32 do not divide square images"),
    ("image=192; window=6; levels=[2, 3, 4, 6]", "a target of 3 × 3 positions is coarser than the mask's grid of 6 × 6"),
    ("patch=0", "patches of 0 × 0"), ("dim=0", "have to be positive"),
    ("levels=[2, 3, 4]", "levels and depths have to be as many"),
    ("tap=middle", "merged or stage, not 'middle'"),
  ]

  @Test("a method of wrong sizes is refused with what to do", arguments: methodMistakes)
  func wrongSizesOfMethods(model: String, setting: String, message: String) throws {
    let path = try #require(modelPaths.first { $0.hasSuffix("/\(model).wg") })
    let error = #expect(throws: DiagnosticError.self) {
      try Language.model(contentsOf: path, overrides: setting.split(separator: "; ").map { try Override(String($0)) })
    }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
  }

  private static let methodMistakes = [
    ("mae_vit", "decoder_heads=7", "7 heads do not divide the decoder's width of 512"),
    ("mae_vit", "size=\"huge\"", "huge"),
    ("mae_vit", "patch=15", "patches of 15 × 15 do not divide square images"),
    ("localmim_vit", "taps=[2, 4, 10]", "taps and cells have to be as many"),
    ("localmim_vit", "taps=[2, 4, 10, 13]", "there is no layer 13 to tap"),
    ("localmim_vit", "cells=[4, 8, 16, 56]", "no power of two leads from the grid of 14 × 14 patches to a target of 4 × 4"),
    ("localmim_vit", "target=\"pixels\"; cells=[4, 8, 16, 30]", "cells of 30 × 30 pixels do not tile images"),
    ("localmim_vit", "target=\"edges\"", "the target has to be"),
    ("simmim_vit", "heads=5", "5 heads do not divide a width of 768"),
    ("simmim_vit", "unit=24", "patches of 24 × 24 do not divide square images"),
    ("simmim_vit", "unit=8", "hide no whole tokens of a grid of 14 × 14"),
    ("simmim_swin", "window=5", "windows of 5 × 5 tokens do not tile the grid of stage 1, 48 × 48"),
    ("simmim_swin", "image=200", "patches of 32 × 32 do not divide square images"),
    ("simmim_swin", "heads=[4, 8, 16, 30]", "30 heads do not divide the width of stage 4, 1024"),
    ("localmim_swin", "depths=[2, 2, 18]", "depths has to have four numbers"),
    ("localmim_swin", "widths=[64, 128, 128]", "each of the four stages has a decoder"),
    ("localmim_swin", "decoder_heads=5", "5 heads do not divide the decoder's width of 64"),
    ("greenmim_swin", "window=8", "windows of 8 × 8 tokens do not tile the grid of stage 2, 28 × 28"),
    ("greenmim_swin", "ratio=0.99", "leaves none of the 49 patches visible"),
  ]

  @Test("the demo's options reach the graph")
  func options() throws {
    let path = try #require(modelPaths.first { $0.hasSuffix("vit_demo.wg") })
    let model = try Language.model(
      contentsOf: path,
      overrides: [Override("wavelet=bior4.4"), Override("subbands=all"), Override("normalization=token"), Override("levels=2..5")])
    #expect(model.graph.nodes.contains { $0.operation == .waveletAnalysis(.bior44) })
    #expect(model.pictures == .wavelet(wavelet: .bior44, levels: [2, 3, 4, 5], subbands: "all", normalization: "token"))
    #expect(model.recipe.epochs == 1.3)
    #expect(model.recipe.cropArea == Interval(0.9, 1))
    #expect(model.recipe.horizontalFlip)
  }
}

/// The names and shapes of the reference's parameters, after timm's and PyTorch's rules.
struct ReferenceNames {
  var image: Int
  var patch: Int
  var dim: Int
  var depth: Int
  var decoder: Int
  var levels: [Int]

  var shapes: [String: [Int]] {
    var shapes: [String: [Int]] = ["cls_token": [1, 1, dim]]
    shapes["patch_embed.proj.weight"] = [dim, 3, patch, patch]
    shapes["patch_embed.proj.bias"] = [dim]
    for layer in 0..<depth { shapes.merge(block("blocks.\(layer)", dim)) { $1 } }
    for (index, level) in levels.enumerated() {
      shapes.merge(affine("norms.\(index)", [dim])) { $1 }
      shapes.merge(decoder("decoders.\(index)", target: image >> level)) { $1 }
    }
    return shapes
  }

  private func affine(_ name: String, _ weight: [Int], bias: Int? = nil) -> [String: [Int]] {
    ["\(name).weight": weight, "\(name).bias": [bias ?? weight[0]]]
  }

  private func block(_ name: String, _ width: Int) -> [String: [Int]] {
    [
      affine("\(name).norm1", [width]), affine("\(name).attn.qkv", [3 * width, width]),
      affine("\(name).attn.proj", [width, width]),
      affine("\(name).norm2", [width]), affine("\(name).mlp.fc1", [4 * width, width]),
      affine("\(name).mlp.fc2", [width, 4 * width]),
    ].reduce(into: [:]) { $0.merge($1) { $1 } }
  }

  private func decoder(_ name: String, target: Int) -> [String: [Int]] {
    var shapes = block("\(name).blocks.0", decoder)
    shapes["\(name).mask_token"] = [1, 1, decoder]
    shapes.merge(affine("\(name).embed", [decoder, dim])) { $1 }
    shapes.merge(affine("\(name).norm", [decoder])) { $1 }
    var (width, grid, layer) = (decoder, image / patch, 0)
    while grid < target {
      if grid > image / patch {
        shapes.merge(affine("\(name).head.\(layer)", [width])) { $1 }
        layer += 2
      }
      shapes.merge(affine("\(name).head.\(layer)", [width, width / 2, 2, 2], bias: width / 2)) { $1 }
      (width, grid, layer) = (width / 2, grid * 2, layer + 1)
    }
    while grid > target { (grid, layer) = (grid / 2, layer + 1) }
    return shapes.merging(affine("\(name).head.\(layer)", [9, width, 1, 1])) { $1 }
  }
}
