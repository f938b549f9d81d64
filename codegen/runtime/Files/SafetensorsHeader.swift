import FoundationEssentials

/// What a safetensors file says about its tensors, checked against the file.
package struct SafetensorsHeader: Sendable {
  /// One tensor of the file.
  package struct Entry: Sendable, Equatable {
    /// Such as `F32`.
    package var type: String
    package var shape: [Int]
    /// Bytes from the start of the file.
    package var range: Range<Int>
  }

  package var entries: [String: Entry] = [:]
  package var metadata: [String: String] = [:]

  /// The longest header that is read: that of 100,000 tensors is a tenth of it.
  static let maximumBytes = 100 << 20

  /// Reads the JSON of a header.
  ///
  /// - Parameters:
  ///   - json: The bytes between the length and the tensors.
  ///   - fileBytes: The size of the whole file.
  ///   - path: The file, for errors.
  package init(json: [UInt8], fileBytes: Int, path: String) throws(TrainerError) {
    let items: [String: Item]
    do {
      items = try JSONDecoder().decode([String: Item].self, from: Data(json))
    } catch {
      throw TrainerError("\(path) is not a safetensors file: its header is not the JSON that one has")
    }
    let start = 8 + json.count
    // In the order of names, so that a damaged file is described alike each time.
    for (name, item) in items.sorted(by: { $0.key < $1.key }) {
      switch item {
      case .metadata(let values):
        guard name == "__metadata__" else {
          throw TrainerError("\(path): the header's entry `\(name)` lacks dtype, shape or data_offsets")
        }
        metadata = values
      case .tensor(let type, let shape, let offsets):
        entries[name] = try Self.entry(
          name, type: type, shape: shape, offsets: offsets, start: start, fileBytes: fileBytes, path: path)
      }
    }
    try checkLayout(start: start, fileBytes: fileBytes, path: path)
  }

  /// Checks one tensor by itself.
  private static func entry(
    _ name: String, type: String, shape: [Int], offsets: [Int], start: Int, fileBytes: Int, path: String
  ) throws(TrainerError) -> Entry {
    guard let width = elementBytes[type] else {
      throw TrainerError("\(path): tensor `\(name)` has the unknown type \(type)")
    }
    guard offsets.count == 2, offsets[0] >= 0, offsets[1] >= offsets[0], offsets[1] <= Int.max - start else {
      throw TrainerError("\(path): tensor `\(name)` has data_offsets that make no sense: \(offsets)")
    }
    var bytes = width
    for extent in shape {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
      guard extent >= 0, !overflow else {
        throw TrainerError("\(path): tensor `\(name)` has a shape that makes no sense: \(Format.shape(shape))")
      }
      bytes = product
    }
    guard offsets[1] - offsets[0] == bytes else {
      throw TrainerError(
        "\(path): tensor `\(name)` of shape \(Format.shape(shape)) needs \(bytes) bytes, and its data_offsets span "
          + "\(offsets[1] - offsets[0])")
    }
    guard start + offsets[1] <= fileBytes else {
      throw TrainerError(
        "\(path) is cut off: tensor `\(name)` of shape \(Format.shape(shape)) ends at byte \(start + offsets[1]), and the file has "
          + "\(fileBytes) bytes")
    }
    return Entry(type: type, shape: shape, range: start + offsets[0]..<start + offsets[1])
  }

  /// Checks that the tensors fill the file without gaps and without sharing bytes.
  private func checkLayout(start: Int, fileBytes: Int, path: String) throws(TrainerError) {
    let ordered = entries.sorted {
      ($0.value.range.lowerBound, $0.value.range.upperBound, $0.key) < (
        $1.value.range.lowerBound, $1.value.range.upperBound, $1.key
      )
    }
    var end = start
    var previous = "the header"
    for (name, entry) in ordered {
      guard entry.range.lowerBound == end else {
        let what = entry.range.lowerBound < end ? "overlap" : "leave a gap"
        throw TrainerError("\(path): \(previous) and tensor `\(name)` \(what)")
      }
      end = entry.range.upperBound
      previous = "tensor `\(name)`"
    }
    guard end == fileBytes else {
      throw TrainerError("\(path) has \(fileBytes - end) bytes after \(previous) that belong to no tensor")
    }
  }

  /// Bytes of an element, by the format's names of types.
  private static let elementBytes = [
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1,
    "BOOL": 1,
  ]
}

/// One entry of the header's JSON object.
private enum Item: Decodable {
  case tensor(type: String, shape: [Int], offsets: [Int])
  case metadata([String: String])

  private enum CodingKeys: String, CodingKey {
    case type = "dtype"
    case shape
    case offsets = "data_offsets"
  }

  init(from decoder: any Decoder) throws {
    if let values = try? decoder.singleValueContainer().decode([String: String].self) {
      self = .metadata(values)
      return
    }
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self = .tensor(
      type: try container.decode(String.self, forKey: .type), shape: try container.decode([Int].self, forKey: .shape),
      offsets: try container.decode([Int].self, forKey: .offsets))
  }
}
