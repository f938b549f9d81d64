import Testing
import WaMIMGraph
import WaMIMLanguage
import WaMIMLayers
import WaMIMTraining

/// The models that come with the compiler.
@Suite struct ModelTests {
  @Test("there are five models", arguments: ["demo", "tiny", "small", "base", "large"])
  func exists(name: String) {
    #expect(modelPaths.contains { $0.hasSuffix("/wamim_vit_\(name).wg") })
  }

  /// Those that pre-train by wavelets.
  static let waveletModels = modelPaths.filter { $0.contains("/wamim_vit_") }

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

  @Test("every model of masked wavelets declares its knobs under the same names", arguments: waveletModels)
  func knobs(path: String) throws {
    let names =
      "image patch dim depth heads taps ratio levels weights wavelet subbands normalization decoder_dim decoder_heads batch"
      .split(separator: " ").map(String.init)
    let error = #expect(throws: DiagnosticError.self) {
      try Language.model(contentsOf: path, overrides: [Override(name: "unheard_of", expression: "1")])
    }
    for name in names { #expect(error?.description.contains(name) == true, "\(name)") }
  }

  @Test("the golden model has the reference's parameters, by name and shape", arguments: waveletModels)
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

  @Test("the demo's options reach the graph")
  func options() throws {
    let path = try #require(modelPaths.first { $0.hasSuffix("demo.wg") })
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
