import FoundationEssentials
import WaMIMManifest

/// Writing tensors in the safetensors format.
package enum Safetensors {
  /// A tensor to write, without its elements.
  package struct Layout {
    package var name: String
    /// Such as `F32`.
    package var type: String
    package var shape: [Int]
    package var byteCount: Int

    package init(name: String, type: String = "F32", shape: [Int], byteCount: Int) {
      self.name = name
      self.type = type
      self.shape = shape
      self.byteCount = byteCount
    }

    /// A tensor of the manifest under its own name.
    init(_ tensor: Manifest.Tensor) {
      self.init(name: tensor.name, type: Safetensors.type(of: tensor), shape: tensor.shape, byteCount: tensor.byteCount)
    }
  }

  /// The format's name of the type of a tensor of the manifest.
  static func type(of tensor: Manifest.Tensor) -> String {
    switch tensor.type {
    case .float32: "F32"
    case .bfloat16: "BF16"
    case .int32: "I32"
    }
  }

  /// Replaces the file at `path` by one that holds `tensors` in their order; on failure the old file stays.
  ///
  /// - Parameter writeElements: Writes the elements of the tensor of that index, in row-major order.
  package static func write(
    _ tensors: [Layout], metadata: [String: String] = [:], to path: String,
    writeElements: (_ index: Int, _ file: OpenFile) throws(TrainerError) -> Void
  ) throws(TrainerError) {
    try write(tensors, metadata: metadata, to: try ReplacedFile(path), writeElements: writeElements)
  }

  /// Writes `tensors` to a file that is open already, which then gets its name.
  package static func write(
    _ tensors: [Layout], metadata: [String: String] = [:], to replaced: ReplacedFile,
    writeElements: (_ index: Int, _ file: OpenFile) throws(TrainerError) -> Void
  ) throws(TrainerError) {
    try replaced.file.write(try header(tensors, metadata: metadata))
    for index in tensors.indices { try writeElements(index, replaced.file) }
    try replaced.commit()
  }

  /// The bytes before those of the tensors: a length, and JSON with spaces after it so that the tensors start at a multiple of 8.
  private static func header(_ tensors: [Layout], metadata: [String: String]) throws(TrainerError) -> [UInt8] {
    var offset = 0
    var entries: [String] = []
    if !metadata.isEmpty { entries.append("\"__metadata__\":\(try JSON.encode(metadata))") }
    for tensor in tensors {
      let end = offset + tensor.byteCount
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      entries.append(
        "\(try JSON.encode(tensor.name)):{\"dtype\":\"\(tensor.type)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var bytes = Array("{\(entries.joined(separator: ","))}".utf8)
    while bytes.count % 8 != 0 { bytes.append(UInt8(ascii: " ")) }
    let length = UInt64(bytes.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + bytes
  }
}

/// Values as JSON text.
enum JSON {
  /// `value` on one line, or on many that people read, with the keys of objects in alphabetical order.
  static func encode(_ value: some Encodable, indented: Bool = false) throws(TrainerError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if indented { encoder.outputFormatting.insert(.prettyPrinted) }
    do {
      return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch {
      throw TrainerError("cannot write JSON: \(error)")
    }
  }
}
