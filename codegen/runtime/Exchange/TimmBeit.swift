import WaMIMManifest

/// The encoder of a program as timm's `Beit` has it: biases of relative positions, one table for all blocks, and layer scale.
struct TimmBeit {
  /// All tensors, in timm's order.
  let tensors: [TimmEncoder.Tensor]
  /// Python that builds the model.
  let createModel: String

  /// The table of biases, by which such an encoder is known.
  static let table = "rel_pos_bias.relative_position_bias_table"

  /// The sizes of an encoder, as timm's arguments name them.
  private struct Sizes: Equatable {
    var dim: Int
    var depth: Int
    var heads: Int
    var hidden: Int
  }

  /// Finds the encoder of `program` by its `parameters`, and checks that timm has one of these shapes.
  init(_ program: Program, _ parameters: [String: [Int]]) throws(TrainerError) {
    guard let embedding = parameters["patch_embed.proj.weight"], embedding.count == 4, embedding[2] == embedding[3],
      let images = program.input(.images)?.shape, images.count == 4, images[2] == images[3],
      let heads = parameters[Self.table]?.last, let hidden = parameters["blocks.0.mlp.fc1.weight"]?.first
    else { throw Self.error("it lacks patch_embed.proj or blocks.0, or its images are no squares") }
    let depth = (0...).first { parameters["blocks.\($0).norm1.weight"] == nil } ?? 0
    let sizes = Sizes(dim: embedding[0], depth: depth, heads: heads, hidden: hidden)
    let side = 2 * (images[2] / embedding[2]) - 1
    // A row for each distance, and three for the class token.
    tensors = try Self.tensors(parameters, embedding: embedding, sizes, biases: side * side + 3)
    createModel = Self.call(image: images[2], channels: images[1], patch: embedding[2], sizes)
  }

  private static func error(_ reason: String) -> TrainerError {
    TrainerError("this model's encoder is not timm's Beit: \(reason)")
  }

  /// The tensors of timm's model, each checked against the parameter that it comes from.
  private static func tensors(
    _ parameters: [String: [Int]], embedding: [Int], _ sizes: Sizes, biases: Int
  ) throws(TrainerError) -> [TimmEncoder.Tensor] {
    var tensors: [TimmEncoder.Tensor] = []
    func add(_ name: String, _ shape: [Int]) throws(TrainerError) {
      if let problem = TimmEncoder.problem(with: name, of: parameters, shape) { throw error(problem) }
      tensors.append(.init(name: name, shape: shape, source: .parameter(name)))
    }
    func addPair(_ name: String, _ shape: [Int]) throws(TrainerError) {
      try add("\(name).weight", shape)
      try add("\(name).bias", [shape[0]])
    }
    let (dim, hidden) = (sizes.dim, sizes.hidden)
    try add("cls_token", [1, 1, dim])
    try addPair("patch_embed.proj", embedding)
    try add(table, [biases, sizes.heads])
    for path in (0..<sizes.depth).map({ "blocks.\($0)" }) {
      for scale in ["gamma_1", "gamma_2"] { try add("\(path).\(scale)", [dim]) }
      try addPair("\(path).norm1", [dim])
      for bias in ["q_bias", "v_bias"] { try add("\(path).attn.\(bias)", [dim]) }
      try add("\(path).attn.qkv.weight", [3 * dim, dim])
      for (layer, shape) in [
        ("attn.proj", [dim, dim]), ("norm2", [dim]), ("mlp.fc1", [hidden, dim]), ("mlp.fc2", [dim, hidden]),
      ] {
        try addPair("\(path).\(layer)", shape)
      }
    }
    try addPair("norm", [dim])
    return tensors
  }

  /// The call, with those arguments that timm's base model does not have anyway.
  private static func call(image: Int, channels: Int, patch: Int, _ sizes: Sizes) -> String {
    var arguments = ["'beit_base_patch16_224'"]
    if image != 224 { arguments.append("img_size=\(image)") }
    if patch != 16 { arguments.append("patch_size=\(patch)") }
    if channels != 3 { arguments.append("in_chans=\(channels)") }
    if sizes.dim != 768 { arguments.append("embed_dim=\(sizes.dim)") }
    if sizes.depth != 12 { arguments.append("depth=\(sizes.depth)") }
    if sizes.heads != 12 { arguments.append("num_heads=\(sizes.heads)") }
    if sizes.hidden != 4 * sizes.dim { arguments.append("mlp_ratio=\(Double(sizes.hidden) / Double(sizes.dim))") }
    arguments += ["use_rel_pos_bias=False", "use_shared_rel_pos_bias=True", "global_pool='token'", "num_classes=0"]
    return "timm.create_model(\(arguments.joined(separator: ", ")))"
  }
}
