import WaMIMManifest

/// Copies of tensors that are to be written together.
package struct TensorStore {
  private struct Item {
    var name: String
    var type: String
    var shape: [Int]
    var bytes: [UInt8]
  }

  private var items: [Item] = []

  /// Copies every output that the schedule `schedule` has just left in `model`.
  package init(outputsOf schedule: String, in model: TrainedModel) throws(TrainerError) {
    for tensor in model.program.manifest.schedules[try model.program.schedule(schedule)].outputs {
      items.append(
        Item(
          name: tensor.name, type: Safetensors.type(of: tensor), shape: tensor.shape.isEmpty ? [1] : tensor.shape,
          bytes: Array(model.bytes(tensor))))
    }
  }

  /// Adds a tensor.
  package mutating func add(_ name: String, shape: [Int], values: [Float]) {
    items.append(
      Item(name: name, type: "F32", shape: shape.isEmpty ? [1] : shape, bytes: values.withUnsafeBytes { Array($0) }))
  }

  /// Replaces the safetensors file at `path` by one that holds the tensors.
  package func write(to path: String) throws(TrainerError) {
    try FileSystem.replace(path) { (file) throws(TrainerError) in
      let header = try Safetensors.header(
        items.map { Safetensors.Layout(name: $0.name, type: $0.type, shape: $0.shape, byteCount: $0.bytes.count) }, metadata: [:])
      try file.write(header)
      for item in items { try file.write(item.bytes) }
    }
  }
}
