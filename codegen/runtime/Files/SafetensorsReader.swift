import WaMIMManifest

/// A safetensors file that is open for reading, whose header has been checked.
package final class SafetensorsReader {
  package let path: String
  package let header: SafetensorsHeader
  let file: OpenFile

  /// Opens the file at `path` and checks that its header and its size agree.
  package init(_ path: String) throws(TrainerError) {
    let file = try OpenFile(reading: path)
    guard file.byteCount >= 8 else {
      throw TrainerError(
        "\(path) is not a safetensors file: it \(file.byteCount == 0 ? "is empty" : "has only \(file.byteCount) bytes")")
    }
    var length: UInt64 = 0
    let prefix = try file.bytes(at: 0, count: min(file.byteCount, ForeignFormat.prefixByteCount))
    for byte in prefix.prefix(8).reversed() { length = length << 8 | UInt64(byte) }
    // The first bytes of a safetensors file are a number, which may be any; its header then begins with a brace.
    if length > UInt64(file.byteCount - 8), prefix.dropFirst(8).first != UInt8(ascii: "{"),
      let description = ForeignFormat.description(of: prefix)
    {
      throw TrainerError("\(path) is not a safetensors file, but \(description)")
    }
    guard length <= UInt64(SafetensorsHeader.maximumBytes) else {
      throw TrainerError("\(path) is not a safetensors file: it begins with a header length of \(length) bytes")
    }
    guard Int(length) <= file.byteCount - 8 else {
      throw TrainerError("\(path) is cut off: its header has \(length) bytes, and the whole file \(file.byteCount)")
    }
    self.path = path
    self.file = file
    header = try SafetensorsHeader(
      json: try file.bytes(at: 8, count: Int(length)), fileBytes: file.byteCount, path: path)
  }

  /// Checks that the file holds every one of `tensors` in its shape, and nothing else.
  ///
  /// A scalar may be stored with the shape [1].
  package func check(holds tensors: [Manifest.Tensor]) throws(TrainerError) {
    for tensor in tensors {
      guard let entry = header.entries[tensor.name] else {
        throw TrainerError(
          "\(path) lacks the tensor `\(tensor.name)`, which this model needs in the shape \(Format.shape(tensor.shape))")
      }
      let expected = Safetensors.type(of: tensor)
      guard entry.type == expected else {
        throw TrainerError("\(path): tensor `\(tensor.name)` is of type \(entry.type), and this model needs \(expected)")
      }
      guard entry.shape == tensor.shape || (tensor.shape.isEmpty && entry.shape == [1]) else {
        throw TrainerError(
          "\(path): tensor `\(tensor.name)` has the shape \(Format.shape(entry.shape)), and this model needs "
            + "\(Format.shape(tensor.shape))")
      }
    }
    let known = Set(tensors.map(\.name))
    if let surplus = header.entries.keys.filter({ !known.contains($0) }).min(), let entry = header.entries[surplus] {
      throw TrainerError(
        "\(path) holds the tensor `\(surplus)` of shape \(Format.shape(entry.shape)), which this model does not have")
    }
  }

  /// Reads the elements of the tensor `name` into `target`, whose size has to be the tensor's.
  package func read(_ name: String, into target: UnsafeMutableRawBufferPointer) throws(TrainerError) {
    try file.read(into: target, at: try range(of: name, byteCount: target.count).lowerBound)
  }

  /// The elements of the tensor `name`, of type F32.
  package func floats(_ name: String) throws(TrainerError) -> [Float] {
    let count = header.entries[name]?.shape.reduce(1, *) ?? 0
    var values = [Float](repeating: 0, count: count)
    let failure = values.withUnsafeMutableBytes { bytes -> TrainerError? in
      do throws(TrainerError) {
        try read(name, into: bytes)
        return nil
      } catch { return error }
    }
    if let failure { throw failure }
    return values
  }

  /// Where the elements of the tensor `name` are in the file, which have to be of `byteCount` bytes.
  func range(of name: String, byteCount: Int) throws(TrainerError) -> Range<Int> {
    guard let entry = header.entries[name], entry.range.count == byteCount else {
      throw TrainerError("\(path) lacks the tensor `\(name)` in the size that this model needs")
    }
    return entry.range
  }
}
