import WaMIMManifest

/// The encoder of a program, or a classifier, as timm's `VisionTransformer`, `SwinTransformer` or `Beit` has it: which tensors it takes, and how to
/// build it there.
package struct TimmEncoder {
  /// A tensor of timm's model, and where it comes from.
  package struct Tensor {
    package enum Source {
      /// A parameter of the program.
      case parameter(String)
      /// Numbers that the program has from the start.
      case constant([Float])
    }

    package var name: String
    package var shape: [Int]
    package var source: Source
  }

  /// All tensors, in timm's order.
  package let tensors: [Tensor]
  /// Python that builds the model, with a head where the program has one.
  package let createModel: String
  /// What timm's model computes otherwise, nil where it computes the same.
  package let difference: String?

  /// Finds the encoder of `program` by its parameters' names, and checks that timm has one of these shapes.
  package init(_ program: Program) throws(TrainerError) {
    let parameters = Dictionary(program.parameters.map { ($0.name, $0.shape) }) { first, _ in first }
    if parameters["layers.0.blocks.0.norm1.weight"] != nil {
      let swin = try TimmSwin(program, parameters)
      (tensors, createModel, difference) = (swin.tensors, swin.createModel, swin.difference)
      return
    }
    difference = nil
    if parameters[TimmBeit.table] != nil {
      let beit = try TimmBeit(program, parameters)
      (tensors, createModel) = (beit.tensors, beit.createModel)
      return
    }
    guard let embedding = parameters["patch_embed.proj.weight"], embedding.count == 4, embedding[2] == embedding[3],
      let images = program.input(.images)?.shape, images.count == 4, images[2] == images[3],
      let hidden = parameters["blocks.0.mlp.fc1.weight"]?.first
    else { throw Self.error("it lacks patch_embed.proj or blocks.0, or its images are no squares") }
    let (dim, patch) = (embedding[0], embedding[2])
    let depth = (0...).first { parameters["blocks.\($0).norm1.weight"] == nil } ?? 0
    let tokens = 1 + images[2] / patch * (images[3] / patch)
    let heads = try Self.heads(in: program.manifest, depth: depth)
    let positions: Tensor.Source =
      if parameters["pos_embed"] != nil {
        .parameter("pos_embed")
      } else {
        .constant(try Self.positions(in: program, grid: images[2] / patch, dim: dim))
      }
    tensors = try Self.tensors(
      parameters, embedding: embedding, depth: depth, hidden: hidden, positions: positions, tokens: tokens)
    createModel = Self.call(
      image: images[2], channels: images[1], patch: patch, dim: dim, depth: depth, heads: heads, hidden: hidden,
      classes: parameters["head.weight"]?.first ?? 0, poolsMean: parameters["fc_norm.weight"] != nil)
  }

  private static func error(_ reason: String) -> TrainerError {
    TrainerError("this model's encoder is not one of timm's vision transformers: \(reason)")
  }

  /// The tensors of timm's model, each checked against the parameter that it comes from.
  private static func tensors(
    _ parameters: [String: [Int]], embedding: [Int], depth: Int, hidden: Int, positions: Tensor.Source, tokens: Int
  ) throws(TrainerError) -> [Tensor] {
    let dim = embedding[0]
    var tensors: [Tensor] = []
    func add(_ name: String, _ shape: [Int], from source: String? = nil) throws(TrainerError) {
      let source = source ?? name
      if let problem = Self.problem(with: source, of: parameters, shape) { throw error(problem) }
      tensors.append(Tensor(name: name, shape: shape, source: .parameter(source)))
    }
    try add("cls_token", [1, 1, dim])
    if case .parameter(let source) = positions {
      try add("pos_embed", [1, tokens, dim], from: source)
    } else {
      tensors.append(Tensor(name: "pos_embed", shape: [1, tokens, dim], source: positions))
    }
    try add("patch_embed.proj.weight", embedding)
    try add("patch_embed.proj.bias", [dim])
    let layers = [
      ("norm1", [dim]), ("attn.qkv", [3 * dim, dim]), ("attn.proj", [dim, dim]), ("norm2", [dim]), ("mlp.fc1", [hidden, dim]),
      ("mlp.fc2", [dim, hidden]),
    ]
    for block in 0..<depth {
      for (layer, shape) in layers {
        try add("blocks.\(block).\(layer).weight", shape)
        try add("blocks.\(block).\(layer).bias", [shape[0]])
      }
    }
    let (theirs, ours) = try finalNorm(parameters)
    for kind in ["weight", "bias"] { try add("\(theirs).\(kind)", [dim], from: "\(ours).\(kind)") }
    if let classes = parameters["head.weight"]?.first {
      try add("head.weight", [classes, dim])
      try add("head.bias", [classes])
    }
    return tensors
  }

  /// What timm and the program call the norm before the head, or after the last layer.
  private static func finalNorm(_ parameters: [String: [Int]]) throws(TrainerError) -> (theirs: String, ours: String) {
    for name in ["fc_norm", "norm"] where parameters["\(name).weight"] != nil { return (name, name) }
    guard let last = lastNorm(parameters) else { throw error("it lacks a norm after its last layer, `norm` or `norms.0`") }
    return ("norm", last)
  }

  /// Why the parameter `source` cannot be a tensor of `shape`, or nil where it can.
  static func problem(with source: String, of parameters: [String: [Int]], _ shape: [Int]) -> String? {
    guard let found = parameters[source] else { return "it lacks `\(source)`" }
    return found == shape ? nil : "`\(source)` has the shape \(Format.shape(found)), not \(Format.shape(shape))"
  }

  /// The norm behind the last layer: that of the last tap.
  static func lastNorm(_ parameters: [String: [Int]]) -> String? {
    let taps = (0...).first { parameters["norms.\($0).weight"] == nil } ?? 0
    return taps > 0 ? "norms.\(taps - 1)" : nil
  }

  /// The table of positions, the class token's first, from the program's constants.
  private static func positions(in program: Program, grid: Int, dim: Int) throws(TrainerError) -> [Float] {
    for table in program.manifest.positionTables
    where table.hasClassToken && table.grid == grid && table.tensor.shape.last == dim {
      if let values = program.constant(table.tensor) { return values }
    }
    throw error("it has no table of positions of width \(dim) for a grid of \(grid) × \(grid)")
  }

  /// The heads of the encoder's attention, which no tensor's shape tells.
  private static func heads(in manifest: Manifest, depth: Int) throws(TrainerError) -> Int {
    let found = Set((0..<depth).compactMap { manifest.attentionHeads["blocks.\($0).attn"] })
    guard found.count == 1, let heads = found.first else {
      throw error(found.isEmpty ? "it has no attention in `blocks`" : "its layers have different numbers of heads")
    }
    return heads
  }

  /// Sizes that timm has names for, at patches of 16.
  private static let sizes = [
    (name: "tiny", dim: 192, depth: 12, heads: 3), (name: "small", dim: 384, depth: 12, heads: 6),
    (name: "base", dim: 768, depth: 12, heads: 12), (name: "large", dim: 1024, depth: 24, heads: 16),
  ]

  /// The call, with those arguments that timm's model of the nearest name does not have anyway.
  private static func call(
    image: Int, channels: Int, patch: Int, dim: Int, depth: Int, heads: Int, hidden: Int, classes: Int, poolsMean: Bool
  ) -> String {
    let named = sizes.first { $0.dim == dim && $0.depth == depth && $0.heads == heads }
    var arguments = ["'vit_\(named?.name ?? "base")_patch16_224'"]
    if image != 224 { arguments.append("img_size=\(image)") }
    if patch != 16 { arguments.append("patch_size=\(patch)") }
    if channels != 3 { arguments.append("in_chans=\(channels)") }
    if named == nil { arguments += ["embed_dim=\(dim)", "depth=\(depth)", "num_heads=\(heads)"] }
    if hidden != 4 * dim { arguments.append("mlp_ratio=\(Double(hidden) / Double(dim))") }
    if poolsMean { arguments.append("global_pool='avg'") }
    arguments.append("num_classes=\(classes)")
    return "timm.create_model(\(arguments.joined(separator: ", ")))"
  }
}
