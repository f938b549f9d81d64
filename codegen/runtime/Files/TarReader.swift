/// Finds the files in a tar archive, in the formats of POSIX (ustar, pax), GNU and older programs, without reading what is in them.
///
/// Archives that were put one behind the other, and blocks of zeros between files, are read on to the last one.
/// An archive that is cut off or damaged gives the files before that offset, and then says what is wrong.
package struct TarReader {
  /// A file in the archive.
  package struct Member: Equatable {
    /// Its path in the archive, in whatever encoding.
    package var name: [UInt8]
    /// Where its bytes begin in the archive.
    package var offset: Int
    package var byteCount: Int
  }

  /// What is wrong with the archive, once the last whole file has been returned.
  package private(set) var damage: String?

  /// The files without bytes of their own that were passed over.
  package private(set) var leftOut = LeftOut()

  private let file: any StoredBytes
  private var position = 0
  private var isAtEnd = false
  /// Whether the last block was one of zeros, two of which mark an archive's end.
  private var isAfterZeros = false

  /// Headers and files begin at multiples of this.
  private static let blockBytes = 512

  /// As many bytes of a long stretch of zeros are looked at together.
  private static let zeroBytes = 1 << 16

  /// Longer names and tables of attributes than any program writes are not read.
  private static let maximumAttributeBytes = 1 << 20

  package init(_ file: any StoredBytes) {
    self.file = file
  }

  /// The next file, or nil after the last one that is whole.
  package mutating func next() throws(TrainerError) -> Member? {
    var attributes = Attributes()
    while !isAtEnd {
      guard let header = try nextHeader() else { return nil }
      // Only files whose bytes follow are cut off when the archive is; a table's own size is in its header.
      let count = header.isFile ? attributes.byteCount ?? header.byteCount : header.byteCount
      let offset = position
      guard count <= file.byteCount - offset else {
        end("it is cut off within \(Self.text(attributes.name ?? header.name))")
        return nil
      }
      // The padding after the last file may be missing.
      position = offset + min(file.byteCount - offset, (count + Self.blockBytes - 1) / Self.blockBytes * Self.blockBytes)
      switch header.kind {
      case .file:
        return Member(name: attributes.name ?? header.name, offset: offset, byteCount: count)
      case .longName:
        guard let bytes = try attributeBytes(at: offset, count: count) else { return nil }
        attributes.name = Array(bytes.prefix { $0 != 0 })
      case .attributes:
        guard let bytes = try attributeBytes(at: offset, count: count) else { return nil }
        guard attributes.read(bytes) else {
          end("the attributes at byte \(offset) are damaged")
          return nil
        }
      case .sparseFile:
        leave(attributes.name ?? header.name, as: .sparseFile)
        try skipSparseMaps(of: header, at: offset)
        attributes = Attributes()
      case .globalTable:
        break
      case .link:
        leave(attributes.name ?? header.name, as: .archiveLink)
        attributes = Attributes()
      case .other:
        attributes = Attributes()
      }
    }
    return nil
  }

  /// Reads the header at the current offset and goes on to what follows it; nil, with `damage` set where that is so, at the end.
  private mutating func nextHeader() throws(TrainerError) -> TarHeader? {
    try skipZeros()
    guard file.byteCount - position >= Self.blockBytes else {
      if isAfterZeros {
        isAtEnd = true
      } else if file.byteCount == 0 {
        end("it is empty")
      } else if position == 0 {
        end("it is not a tar archive")
      } else {
        end("it ends without a mark of its end, so it may have been cut off")
      }
      return nil
    }
    let block = try file.bytes(at: position, count: Self.blockBytes)
    guard let header = TarHeader(block) else {
      if position == 0 {
        end("it is not a tar archive")
      } else {
        end(isAfterZeros ? "what follows its end at byte \(position) is no archive" : "the header at byte \(position) is damaged")
      }
      return nil
    }
    isAfterZeros = false
    position += Self.blockBytes
    return header
  }

  /// Takes note that `name` is passed over.
  private mutating func leave(_ name: [UInt8], as kind: LeftOut.Kind) {
    let path = file.path
    leftOut.add(kind, "\(Self.text(name)) in \(path)")
  }

  /// Passes over blocks of zeros.
  private mutating func skipZeros() throws(TrainerError) {
    // One at first, as most headers follow a file at once.
    var count = Self.blockBytes
    while file.byteCount - position >= Self.blockBytes {
      count = min(count, (file.byteCount - position) / Self.blockBytes * Self.blockBytes)
      let bytes = try file.bytes(at: position, count: count)
      let zeros = bytes.firstIndex { $0 != 0 } ?? count
      position += zeros / Self.blockBytes * Self.blockBytes
      if zeros >= Self.blockBytes { isAfterZeros = true }
      if zeros < count { return }
      count = Self.zeroBytes
    }
  }

  /// Makes room for the blocks that say where a sparse file's holes are: they lie between its header and its bytes, from `offset` on.
  private mutating func skipSparseMaps(of header: TarHeader, at offset: Int) throws(TrainerError) {
    var hasMore = header.hasSparseMaps
    var map = offset
    while hasMore {
      guard file.byteCount - position >= Self.blockBytes else {
        return end("it is cut off within \(Self.text(header.name))")
      }
      // The last field of such a block says whether another one follows.
      hasMore = try file.bytes(at: map, count: Self.blockBytes)[504] != 0
      map += Self.blockBytes
      position += Self.blockBytes
    }
  }

  /// The bytes of a long name or a table of attributes, which says something of the file that follows.
  private mutating func attributeBytes(at offset: Int, count: Int) throws(TrainerError) -> [UInt8]? {
    guard count <= Self.maximumAttributeBytes else {
      end("the attributes at byte \(offset) are larger than \(Format.bytes(Self.maximumAttributeBytes))")
      return nil
    }
    return try file.bytes(at: offset, count: count)
  }

  /// Stops because of `damage`.
  private mutating func end(_ damage: String) {
    self.damage = damage
    isAtEnd = true
  }

  private static func text(_ name: [UInt8]) -> String { String(decoding: name, as: UTF8.self) }
}

/// What tables before a header say of its file.
private struct Attributes {
  var name: [UInt8]?
  var byteCount: Int?

  /// Takes over what the records of a pax table say, each `LENGTH KEY=VALUE` and a line break; false where they are damaged.
  mutating func read(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while let first = rest.first, first != 0 {
      guard let space = rest.firstIndex(of: UInt8(ascii: " ")),
        let length = Int(String(decoding: rest[..<space], as: UTF8.self)), length > space - rest.startIndex + 1,
        length <= rest.count
      else { return false }
      let record = rest[(space + 1)..<(rest.startIndex + length)]
      rest = rest[(rest.startIndex + length)...]
      guard record.last == UInt8(ascii: "\n"), let equals = record.firstIndex(of: UInt8(ascii: "=")) else { return false }
      let value = record[(equals + 1)..<(record.endIndex - 1)]
      switch String(decoding: record[..<equals], as: UTF8.self) {
      case "path":
        name = Array(value)
      case "size":
        guard let count = Int(String(decoding: value, as: UTF8.self)), count >= 0 else { return false }
        byteCount = count
      default:
        break
      }
    }
    return true
  }
}
