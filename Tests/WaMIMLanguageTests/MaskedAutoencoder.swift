import Testing
import WaMIMGraph
import WaMIMLanguage
import WaMIMLayers
import WaMIMTraining

/// A masked autoencoder on pixels (arXiv 2111.06377), written with the language alone: nothing of that is made for it.
@Suite struct MaskedAutoencoder {
  static let source = """
    model mae

    let image = 32
    let patch = 8
    let dim   = 16
    let width = 3 * patch * patch

    input images: f32[4, 3, image, image]

    let mask    = random_mask(images, patch: patch, ratio: 0.75)
    let encoded = vit(images, mask, patch: patch, dim: dim, depth: 2, heads: 2, taps: [2])[0]

    // Mask tokens instead of hidden patches, behind the class token.
    func restored(tokens, mask: mask, dim: int) {
      let batch   = tokens.shape[0]
      let count   = mask.grid * mask.grid
      let x       = linear(tokens, width: dim, name: "embed")
      let token   = parameter(name: "mask_token", shape: [1, 1, dim], initial: normal(0.02))
      let hidden  = broadcast(token, shape: [batch, count - mask.visible_count, dim])
      let visible = slice(x, axis: 1, start: 1, count: mask.visible_count, step: 1)
      let ordered = gather(concatenate(visible, hidden, axis: 1), mask.restore)
      let table   = position_table(width: dim, grid: mask.grid, class_token: true)
      concatenate(slice(x, axis: 1, start: 0, count: 1, step: 1), ordered, axis: 1) + table
    }

    func repeated(x, count: int, heads: int = 2) {
      if count == 0 { x } else {
        repeated(transformer_block(x, heads: heads, name: "block"), count: count - 1)
      }
    }

    let decoded = layer_norm(repeated(restored(encoded, mask, dim: 8), count: 2), name: "norm")
    let pixels  = linear(slice(decoded, axis: -2, start: 1, count: mask.grid * mask.grid, step: 1), width: width, name: "head")
    let target  = standardize(patches(images, patch), axes: [-1])
    let errors  = mean((pixels - target) * (pixels - target), axes: [-1])
    let hidden  = reshape(mask.hidden, shape: errors.shape)

    loss total(errors * hidden) / total(hidden)
    output "prediction.0" = pixels
    output "target.0" = target
    pictures patches(patch: patch, normalized: true)
    """

  @Test("its parameters are named after the calls of its functions")
  func names() throws {
    let model = try Language.model(source: Self.source, file: "mae.wg")
    let names = model.graph.nodes.compactMap { node in
      if case .parameter(let name, _, _, _) = node.operation { name } else { nil }
    }
    for name in ["restored.0.mask_token", "restored.0.embed.weight", "repeated.0.block.norm1.bias", "norm.weight", "head.bias"] {
      #expect(names.contains(name), "\(names)")
    }
    #expect(names.contains("repeated.0.repeated.0.block.attn.qkv.weight"))
    #expect(model.pictures == .patches(patch: 8, normalized: true))
    #expect(model.graph.outputs.map(\.name) == ["mask", "loss", "prediction.0", "target.0"])
  }

  @Test("it prints as text that describes it")
  func roundTrip() throws {
    let model = try Language.model(source: Self.source, file: "mae.wg")
    let again = try Language.model(source: Language.print(model), file: "dump.wg")
    #expect(again.withoutLocations == model.withoutLocations)
  }

  @Test("a member that has been renamed is still known by its former name")
  func formerNames() throws {
    func model(_ member: String) throws -> Model {
      let source = Self.source + "\noutput \"hidden\" = mask.\(member)\n"
      return try Language.model(source: source, file: "mae.wg").withoutLocations
    }
    #expect(try model("hidden_places") == model("hidden_indices"))
    #expect(try model("hidden_places") != model("visible"))
  }
}
