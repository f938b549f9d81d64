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

  package init() {}

  /// Copies every output that a round of `schedule` has just left in `model`, or adds it to what earlier rounds left; names get a
  /// `prefix`.
  package mutating func addRound(of schedule: ScheduleRole, in model: TrainedModel, prefix: String = "") throws(TrainerError) {
    for output in model.program.manifest.schedules[try model.program.schedule(schedule)].outputs {
      var tensor = output.tensor
      tensor.name = prefix + tensor.name
      guard let index = items.firstIndex(where: { $0.name == tensor.name }) else {
        try add(tensor, of: model)
        continue
      }
      switch output.combination {
      case .same: break
      case .samples:
        items[index].bytes += try model.bytes(output.tensor)
        items[index].shape[0] += output.tensor.shape[0]
      case .sum:
        let values = try model.values(output.tensor)
        items[index].bytes.withUnsafeMutableBytes { target in
          for (offset, value) in values.enumerated() {
            let sum = target.loadUnaligned(fromByteOffset: MemoryLayout<Float>.stride * offset, as: Float.self) + value
            target.storeBytes(of: sum, toByteOffset: MemoryLayout<Float>.stride * offset, as: Float.self)
          }
        }
      }
    }
  }

  /// Copies a tensor of `model`.
  package mutating func add(
    _ tensor: Manifest.Tensor, of model: TrainedModel, in memory: DeviceMemory = .arena
  ) throws(TrainerError) {
    items.append(
      Item(
        name: tensor.name, type: Safetensors.type(of: tensor), shape: tensor.shape.isEmpty ? [1] : tensor.shape,
        bytes: try model.bytes(tensor, in: memory)))
  }

  /// Adds a tensor.
  package mutating func add(_ name: String, shape: [Int], values: [Float]) {
    items.append(
      Item(name: name, type: "F32", shape: shape.isEmpty ? [1] : shape, bytes: values.withUnsafeBytes { Array($0) }))
  }

  /// Replaces the safetensors file at `path` by one that holds the tensors.
  package func write(to path: String) throws(TrainerError) {
    let layouts = items.map {
      Safetensors.Layout(name: $0.name, type: $0.type, shape: $0.shape, byteCount: $0.bytes.count)
    }
    try Safetensors.write(layouts, to: path) { (index, file) throws(TrainerError) in try file.write(items[index].bytes) }
  }
}
