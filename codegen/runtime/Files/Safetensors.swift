import FoundationEssentials
import WaMIMManifest

/// Writing tensors in the safetensors format.
package enum Safetensors {
  /// A tensor to write.
  package struct Tensor {
    package var name: String
    /// Such as `F32`.
    package var type: String
    package var shape: [Int]
    /// The elements, in row-major order.
    package var bytes: UnsafeRawBufferPointer

    package init(name: String, type: String = "F32", shape: [Int], bytes: UnsafeRawBufferPointer) {
      self.name = name
      self.type = type
      self.shape = shape
      self.bytes = bytes
    }
  }

  /// The format's name of the type of a tensor of the manifest.
  static func type(of tensor: Manifest.Tensor) -> String {
    switch tensor.type {
    case .float32: "F32"
    case .int32: "I32"
    }
  }

  /// Replaces the file at `path` by one that holds `tensors` in their order; on failure the old file stays.
  package static func write(_ tensors: [Tensor], metadata: [String: String] = [:], to path: String) throws(TrainerError) {
    let layouts = tensors.map { Layout(name: $0.name, type: $0.type, shape: $0.shape, byteCount: $0.bytes.count) }
    let header = try header(layouts, metadata: metadata)
    try FileSystem.replace(path) { (file) throws(TrainerError) in
      try file.write(header)
      for tensor in tensors { try file.write(tensor.bytes) }
    }
  }

  /// What the header says of a tensor.
  struct Layout {
    var name: String
    var type: String
    var shape: [Int]
    var byteCount: Int
  }

  /// The bytes before those of the tensors: a length, and JSON with spaces after it so that the tensors start at a multiple of 8.
  static func header(_ tensors: [Layout], metadata: [String: String]) throws(TrainerError) -> [UInt8] {
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
