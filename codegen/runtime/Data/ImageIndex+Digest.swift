extension ImageIndex {
  /// A number that tells lists of images apart, in hexadecimal digits: of their names and order, in archives their sizes too, and not of
  /// where the data set lies.
  func digest(below roots: [[UInt8]]) -> String {
    var sum = BinaryWriter.emptyChecksum
    func add(_ bytes: some Sequence<UInt8>) { sum = BinaryWriter.checksum(bytes, continuing: sum) }
    var folder: UInt32?
    for index in items.indices {
      if items[index].container != folder {
        folder = items[index].container
        let path = container(at: index).path
        // No name has the byte 0.
        add([0])
        let root = roots.first { path.starts(with: $0) }
        add(root.map { path[$0.count...] } ?? FilePath.lastComponent(path))
        add([0])
      }
      add(name(at: index))
      add([0])
      if let extent = extent(at: index) { withUnsafeBytes(of: UInt64(extent.byteCount).littleEndian) { add($0) } }
    }
    return ImageDigest.text(sum)
  }
}

/// Digests as records have them.
enum ImageDigest {
  static func text(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
