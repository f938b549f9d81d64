import WaMIMManifest

extension TrainedModel {
  /// A copy of the bytes of `tensor`.
  package func bytes(_ tensor: Manifest.Tensor, in memory: DeviceMemory = .arena) throws(TrainerError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(tensor.byteCount)
    try device.download(tensor, in: memory) { piece in piece.withUnsafeBytes { bytes.append(contentsOf: $0) } }
    return bytes
  }

  /// A copy of the elements of `tensor`, or of those of its first `samples` samples.
  package func values(
    _ tensor: Manifest.Tensor, in memory: DeviceMemory = .arena, samples: Int? = nil
  ) throws(TrainerError) -> [Float] {
    let wanted = samples.map { tensor.byteCount / max(1, tensor.shape.first ?? 1) * $0 } ?? tensor.byteCount
    var values = [Float](repeating: 0, count: wanted / 4)
    var done = 0
    try device.download(tensor, in: memory) { piece in
      let count = min(piece.byteCount, wanted - done)
      values.withUnsafeMutableBytes { target in
        piece.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: target[done...]).copyBytes(from: $0.prefix(count)) }
      }
      done += count
    }
    return values
  }

  /// Writes `values` to `tensor`, which has as many elements.
  package func upload(_ values: [Float], to tensor: Manifest.Tensor) throws(TrainerError) {
    guard values.count == tensor.count else {
      throw TrainerError("the tensor `\(tensor.name)` has \(tensor.count) elements, not \(values.count)")
    }
    noteWrittenStates()
    try device.upload(tensor) { offset, piece in
      piece.withUnsafeMutableBytes { target in
        values.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + target.count])) }
      }
    }
  }

  /// The tensor that the schedule `schedule` leaves under `name`.
  package func output(_ name: String, of schedule: ScheduleRole) throws(TrainerError) -> Manifest.Tensor {
    let outputs = program.manifest.schedules[try program.schedule(schedule)].outputs
    guard let output = outputs.first(where: { $0.tensor.name == name }) else {
      throw TrainerError("the schedule `\(schedule.rawValue)` of this program has no output `\(name)`")
    }
    return output.tensor
  }

  /// The first element of the output `name` of `schedule`.
  package func scalar(_ name: String, of schedule: ScheduleRole) throws(TrainerError) -> Float {
    let output = try output(name, of: schedule)
    guard output.count > 0, let value = try device.downloadScalars([output]).first else {
      throw TrainerError("the output `\(name)` of the schedule `\(schedule.rawValue)` is empty")
    }
    return value
  }
}
