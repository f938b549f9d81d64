import WaMIMManifest

extension SafetensorsReader {
  /// Writes one of `count` equal shares of the elements of the tensor named as `tensor` to `tensor` of `model`, whose size has to be the
  /// share's.
  package func read(
    _ tensor: Manifest.Tensor, of model: TrainedModel, from name: String? = nil, share: Int = 0, of count: Int = 1
  ) throws(TrainerError) {
    let range = try range(of: name ?? tensor.name, byteCount: count * tensor.byteCount)
    let start = range.lowerBound + share * tensor.byteCount
    model.noteWrittenStates()
    try model.device.upload(tensor) { (offset, piece) throws(TrainerError) in
      try piece.withUnsafeMutableBytes { (bytes) throws(TrainerError) in try file.read(into: bytes, at: start + offset) }
    }
  }
}
