/// The names of Hugging Face's ViTs (`ViTModel`, `ViTForImageClassification`, `ViTMAE…`, `DeiT…`) as timm's.
enum TransformersNames {
  /// A tensor under timm's name, and those of the file that it is put together from, one after the other.
  struct Tensor {
    var name: String
    var sources: [String]
  }

  /// The tensors of attention that timm has as one, in its order.
  private static let joined = ["query", "key", "value"]
  private static let attention = ".attention.attention."

  /// Names within a layer.
  private static let layerNames = [
    "layernorm_before": "norm1", "attention.output.dense": "attn.proj", "layernorm_after": "norm2", "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
  ]

  /// Names outside of the layers.
  private static let otherNames = [
    "embeddings.cls_token": "cls_token", "embeddings.position_embeddings": "pos_embed",
    "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
    "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias", "layernorm.weight": "norm.weight",
    "layernorm.bias": "norm.bias",
  ]

  /// The tensors of a file that has `entries`; nil where these are not such names.
  static func tensors(_ entries: Set<String>) -> [Tensor]? {
    let first = "encoder.layer.0\(attention)query.weight"
    guard let sample = entries.filter({ $0 == first || $0.hasSuffix(".\(first)") }).min() else { return nil }
    let prefix = String(sample.dropLast(first.count))
    return entries.sorted().compactMap { entry in
      guard entry.hasPrefix(prefix) else { return Tensor(name: entry, sources: [entry]) }
      return tensor(String(entry.dropFirst(prefix.count)), prefix: prefix, entries: entries)
    }
  }

  /// The tensor of the name `name` behind the prefix; nil where it belongs to one that another name stands for.
  private static func tensor(_ name: String, prefix: String, entries: Set<String>) -> Tensor? {
    let unknown = Tensor(name: prefix + name, sources: [prefix + name])
    if let known = otherNames[name] { return Tensor(name: known, sources: [prefix + name]) }
    let layers = "encoder.layer."
    guard name.hasPrefix(layers), let kindStart = name.lastIndex(of: ".") else { return unknown }
    let rest = name.dropFirst(layers.count)
    let number = rest.prefix { $0 != "." }
    let inner = rest.dropFirst(number.count + 1)
    guard inner.endIndex > kindStart, inner.startIndex < kindStart else { return unknown }
    let (layer, kind) = (String(inner[..<kindStart]), String(inner[inner.index(after: kindStart)...]))
    if let known = layerNames[layer] { return Tensor(name: "blocks.\(number).\(known).\(kind)", sources: [prefix + name]) }
    let sources = joined.map { "\(prefix)\(layers)\(number)\(attention)\($0).\(kind)" }
    guard sources.contains(prefix + name), sources.allSatisfy(entries.contains) else { return unknown }
    return prefix + name == sources[0] ? Tensor(name: "blocks.\(number).attn.qkv.\(kind)", sources: sources) : nil
  }
}
