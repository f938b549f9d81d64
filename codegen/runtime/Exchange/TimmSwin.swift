import WaMIMManifest

/// The encoder of a program as timm's `SwinTransformer` has it.
struct TimmSwin {
  /// All tensors, in timm's order.
  let tensors: [TimmEncoder.Tensor]
  /// Python that builds the model, with a head where the program has one.
  let createModel: String
  /// What timm's model computes otherwise, nil where it computes the same.
  let difference: String?

  /// The sizes of an encoder, as timm's arguments name them.
  private struct Sizes: Equatable {
    var dim: Int
    var depths: [Int]
    var heads: [Int]
  }

  /// The weight of a classifier's head.
  private static let head = "head.fc.weight"

  /// Finds the encoder of `program` by its `parameters`, and checks that timm has one of these shapes.
  init(_ program: Program, _ parameters: [String: [Int]]) throws(TrainerError) {
    guard let embedding = parameters["patch_embed.proj.weight"], embedding.count == 4, embedding[2] == embedding[3],
      let images = program.input(.images)?.shape, images.count == 4, images[2] == images[3]
    else { throw Self.error("it lacks patch_embed.proj, or its images are no squares") }
    func block(_ stage: Int, _ block: Int) -> String { "layers.\(stage).blocks.\(block)" }
    let stages = (0...).first { parameters["\(block($0, 0)).norm1.weight"] == nil } ?? 0
    let depths = (0..<stages).map { stage in (0...).first { parameters["\(block(stage, $0)).norm1.weight"] == nil } ?? 0 }
    let heads = depths.indices.compactMap { program.manifest.attentionHeads["\(block($0, 0)).attn"] }
    let biases = depths.indices.compactMap { parameters["\(block($0, 0)).attn.relative_position_bias_table"]?.first }
    guard heads.count == stages, biases.count == stages, let most = biases.first else {
      throw Self.error("a stage has no attention within windows")
    }
    let sizes = Sizes(dim: embedding[0], depths: depths, heads: heads)
    tensors = try Self.tensors(parameters, embedding: embedding, sizes, biases: biases)
    let window = Int(Double(most).squareRoot() + 1) / 2
    createModel = Self.call(
      image: images[2], channels: images[1], patch: embedding[2], window: window, sizes, classes: parameters[Self.head]?.first ?? 0)
    difference = Self.difference(depths: depths, grid: images[2] / embedding[2], window: window)
  }

  /// What timm computes otherwise where windows do not tile the grid of a stage with shifted windows.
  private static func difference(depths: [Int], grid: Int, window: Int) -> String? {
    let isPadded = depths.indices.contains { stage in
      depths[stage] > 1 && grid >> stage > window && (grid >> stage) % window != 0
    }
    guard isPadded else { return nil }
    return
      "timm's model gives other numbers: where windows do not tile a grid, timm shifts them before it adds zeros behind the grid, "
      + "and this model after, as mmsegmentation does"
  }

  private static func error(_ reason: String) -> TrainerError {
    TrainerError("this model's encoder is not one of timm's Swin transformers: \(reason)")
  }

  /// The tensors of timm's model, each checked against the parameter that it comes from.
  private static func tensors(
    _ parameters: [String: [Int]], embedding: [Int], _ sizes: Sizes, biases: [Int]
  ) throws(TrainerError) -> [TimmEncoder.Tensor] {
    var tensors: [TimmEncoder.Tensor] = []
    func add(_ name: String, _ shape: [Int], from source: String? = nil) throws(TrainerError) {
      let source = source ?? name
      if let problem = TimmEncoder.problem(with: source, of: parameters, shape) { throw error(problem) }
      tensors.append(.init(name: name, shape: shape, source: .parameter(source)))
    }
    func addPair(_ name: String, _ shape: [Int], from source: String? = nil) throws(TrainerError) {
      try add("\(name).weight", shape, from: source.map { "\($0).weight" })
      try add("\(name).bias", [shape[0]], from: source.map { "\($0).bias" })
    }
    try addPair("patch_embed.proj", embedding)
    try addPair("patch_embed.norm", [sizes.dim])
    for (stage, depth) in sizes.depths.enumerated() {
      let dim = sizes.dim << stage
      if stage > 0 {
        try addPair("layers.\(stage).downsample.norm", [2 * dim])
        try add("layers.\(stage).downsample.reduction.weight", [dim, 2 * dim])
      }
      for block in 0..<depth {
        let path = "layers.\(stage).blocks.\(block)"
        try addPair("\(path).norm1", [dim])
        try add("\(path).attn.relative_position_bias_table", [biases[stage], sizes.heads[stage]])
        for (layer, shape) in [
          ("attn.qkv", [3 * dim, dim]), ("attn.proj", [dim, dim]), ("norm2", [dim]), ("mlp.fc1", [4 * dim, dim]),
          ("mlp.fc2", [dim, 4 * dim]),
        ] {
          try addPair("\(path).\(layer)", shape)
        }
      }
    }
    let last = parameters["norm.weight"] != nil ? "norm" : TimmEncoder.lastNorm(parameters)
    guard let last else { throw error("it lacks a norm after its last stage, `norm` or `norms.0`") }
    let width = sizes.dim << (sizes.depths.count - 1)
    try addPair("norm", [width], from: last)
    if let classes = parameters[head]?.first { try addPair("head.fc", [classes, width]) }
    return tensors
  }

  /// Sizes that timm has names for.
  private static let named = [
    (name: "tiny", sizes: Sizes(dim: 96, depths: [2, 2, 6, 2], heads: [3, 6, 12, 24])),
    (name: "small", sizes: Sizes(dim: 96, depths: [2, 2, 18, 2], heads: [3, 6, 12, 24])),
    (name: "base", sizes: Sizes(dim: 128, depths: [2, 2, 18, 2], heads: [4, 8, 16, 32])),
  ]

  /// The call, with those arguments that timm's model of the nearest name does not have anyway.
  private static func call(image: Int, channels: Int, patch: Int, window: Int, _ sizes: Sizes, classes: Int) -> String {
    let name = named.first { $0.sizes == sizes }?.name
    var arguments = ["'swin_\(name ?? "base")_patch4_window7_224'"]
    if image != 224 { arguments.append("img_size=\(image)") }
    if patch != 4 { arguments.append("patch_size=\(patch)") }
    if window != 7 { arguments.append("window_size=\(window)") }
    if channels != 3 { arguments.append("in_chans=\(channels)") }
    if name == nil { arguments += ["embed_dim=\(sizes.dim)", "depths=\(sizes.depths)", "num_heads=\(sizes.heads)"] }
    arguments.append("num_classes=\(classes)")
    return "timm.create_model(\(arguments.joined(separator: ", ")))"
  }
}
