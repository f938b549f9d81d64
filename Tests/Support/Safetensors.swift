import Foundation

/// Tensors of float32 or int32 by name, read from a safetensors file.
public struct Safetensors {
  /// A tensor as it lies in the file.
  public struct Tensor: Equatable {
    public var shape: [Int]
    public var elements: [Double]

    public init(shape: [Int], elements: [Double]) {
      self.shape = shape
      self.elements = elements
    }
  }

  /// Why a file cannot be read.
  public struct Malformed: Error, CustomStringConvertible {
    public var description: String
  }

  public private(set) var tensors: [String: Tensor] = [:]

  /// Reads the file at `path`.
  ///
  /// - Throws: `Malformed` where header, types or offsets do not fit together.
  public init(contentsOf path: String) throws {
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    guard bytes.count >= 8 else { throw Malformed(description: "\(path) is too short for a header") }
    let length = bytes[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(bytes.count - 8) else { throw Malformed(description: "\(path) is shorter than its header says") }
    let start = 8 + Int(length)
    let header = try JSONDecoder().decode([String: Entry].self, from: Data(bytes[8..<start]))
    for (name, entry) in header where name != "__metadata__" {
      guard let shape = entry.shape, let range = entry.offsets, ["F32", "I32"].contains(entry.dtype), range.count == 2,
        0 <= range[0], range[1] <= bytes.count - start, range[1] - range[0] == 4 * shape.reduce(1, *)
      else { throw Malformed(description: "'\(name)' in \(path) does not fit its offsets or is neither float32 nor int32") }
      let elements = stride(from: start + range[0], to: start + range[1], by: 4).map { offset in
        let bits = bytes[offset..<offset + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return entry.dtype == "F32" ? Double(Float(bitPattern: bits)) : Double(Int32(bitPattern: bits))
      }
      tensors[name] = Tensor(shape: shape, elements: elements)
    }
  }

  /// The bytes of a file that holds `tensors` in float32.
  public static func bytes(of tensors: [String: Tensor]) -> [UInt8] {
    var data: [UInt8] = []
    let entries = tensors.sorted { $0.key < $1.key }.map { name, tensor in
      let start = data.count
      for element in tensor.elements {
        withUnsafeBytes(of: Float(element).bitPattern.littleEndian) { data += $0 }
      }
      return "\"\(name)\":{\"dtype\":\"F32\",\"shape\":\(tensor.shape),\"data_offsets\":[\(start),\(data.count)]}"
    }
    let header = Array("{\(entries.joined(separator: ","))}".utf8)
    return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + data
  }

  /// The elements of all tensors.
  public var elements: [String: [Double]] { tensors.mapValues(\.elements) }

  private struct Entry: Decodable {
    var dtype: String?
    var shape: [Int]?
    var offsets: [Int]?

    enum CodingKeys: String, CodingKey {
      case dtype, shape
      case offsets = "data_offsets"
    }
  }
}
