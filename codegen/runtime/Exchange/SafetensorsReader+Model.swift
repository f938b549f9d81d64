import WaMIMManifest

extension SafetensorsReader {
  /// Writes one of `parts` equal parts of the elements of the tensor named as `tensor` to `tensor` of `model`, whose size has to be the
  /// part's.
  package func read(
    _ tensor: Manifest.Tensor, of model: TrainedModel, part: Int = 0, of parts: Int = 1
  ) throws(TrainerError) {
    let range = try range(of: tensor.name, byteCount: parts * tensor.byteCount)
    let start = range.lowerBound + part * tensor.byteCount
    try model.device.upload(tensor) { (offset, piece) throws(TrainerError) in
      try piece.withUnsafeMutableBytes { (bytes) throws(TrainerError) in try file.read(into: bytes, at: start + offset) }
    }
  }
}
