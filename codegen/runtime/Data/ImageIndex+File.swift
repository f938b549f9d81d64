import Glibc

/// Keeping what was found between two starts of a run.
extension ImageIndex {
  /// Where the folder of a run keeps its index.
  package static func file(in folder: String) -> String { "\(folder)/\(fileName)" }

  static let fileName = "images.index"

  private static let magic = Array("wamim images 2\n".utf8)

  /// Folders that changed so shortly before they were looked at may change again without it showing.
  private static let settlingNanoseconds: Int64 = 2_000_000_000

  /// Writes the index of `locations`, found at `time`, to `path`.
  package func write(to path: String, of locations: [ImageLocation], foundAt time: Int64) throws(TrainerError) {
    var writer = BinaryWriter()
    writer.append(Self.magic)
    writer.append(UInt64(bitPattern: time))
    writer.appendCounted(ImageLocation.key(of: locations))
    writer.append(UInt64(containers.count))
    for container in containers {
      writer.append(UInt64(container.kind.rawValue))
      writer.appendCounted(container.path)
      writer.append(UInt64(bitPattern: container.stamp.modified))
      writer.append(UInt64(bitPattern: container.stamp.byteCount))
      writer.append(container.stamp.links)
      writer.append(container.packing)
    }
    writer.append(UInt64(items.count))
    for item in items {
      writer.append(UInt64(item.container))
      writer.append(UInt64(item.nameEnd))
    }
    writer.appendCounted(names)
    writer.append(UInt64(extents.count))
    for extent in extents {
      writer.append(UInt64(extent.offset))
      writer.append(UInt64(extent.byteCount))
    }
    writer.append(writer.checksum)
    let bytes = writer.bytes
    try FileSystem.replace(path) { (file) throws(TrainerError) in try file.write(bytes) }
  }

  /// Reads the index of `locations` from `path`; nil where there is none, it is of something else, or what it tells of has changed.
  package init?(reading path: String, of locations: [ImageLocation]) {
    guard let bytes = try? FileSystem.read(path, limit: 1 << 34), bytes.count >= 8, bytes.starts(with: Self.magic) else {
      return nil
    }
    var end = BinaryReader(bytes[(bytes.count - 8)...])
    let content = bytes[..<(bytes.count - 8)]
    guard end.next() == BinaryWriter.checksum(content) else { return nil }
    var reader = BinaryReader(content.dropFirst(Self.magic.count))
    guard let time = reader.next(), reader.nextCounted().map(Array.init) == ImageLocation.key(of: locations),
      let containers = reader.nextContainers(), let items = reader.nextItems(), let names = reader.nextCounted(),
      let extents = reader.nextExtents(), reader.isAtEnd
    else { return nil }
    self.init(containers: containers, items: items, names: Array(names), extents: extents)
    guard count > 0, isFresh(foundAt: Int64(bitPattern: time)) else { return nil }
  }

  /// Whether every folder and archive is as it was at `time`.
  private func isFresh(foundAt time: Int64) -> Bool {
    containers.allSatisfy { container in
      container.stamp.modified < time - Self.settlingNanoseconds && FileStatus(container.path)?.stamp == container.stamp
    }
  }
}

extension BinaryWriter {
  /// Appends where an archive can be unpacked from; nothing but zeros where it is not packed.
  fileprivate mutating func append(_ packing: GzipIndex?) {
    append(UInt64(packing?.byteCount ?? 0))
    append(UInt64(packing?.points.count ?? 0))
    for point in packing?.points ?? [] {
      append(UInt64(point.packedOffset))
      append(UInt64(point.bits))
      append(UInt64(point.offset))
      appendCounted(point.window)
    }
  }
}

extension BinaryReader {
  fileprivate mutating func nextContainers() -> [ImageIndex.Container]? {
    nextArray { reader in
      guard let number = reader.next(), let kind = UInt8(exactly: number).flatMap(ImageIndex.Container.Kind.init),
        let path = reader.nextCounted(), let modified = reader.next(), let size = reader.next(), let links = reader.next(),
        let packing = reader.nextPacking()
      else { return nil }
      let stamp = FileStamp(modified: Int64(bitPattern: modified), byteCount: Int64(bitPattern: size), links: links)
      return ImageIndex.Container(kind: kind, path: Array(path), stamp: stamp, packing: kind == .packedShard ? packing : nil)
    }
  }

  /// Where an archive can be unpacked from; without points where it is not packed.
  private mutating func nextPacking() -> GzipIndex? {
    guard let byteCount = next().flatMap(Int.init(exactly:)) else { return nil }
    let points = nextArray { reader -> GzipIndex.Point? in
      guard let packedOffset = reader.next().flatMap(Int.init(exactly:)), let bits = reader.next(), bits < 8,
        packedOffset > 0, let offset = reader.next().flatMap(Int.init(exactly:)), let window = reader.nextCounted()
      else { return nil }
      return GzipIndex.Point(packedOffset: packedOffset, bits: Int(bits), offset: offset, window: Array(window))
    }
    return points.map { GzipIndex(points: $0, byteCount: byteCount) }
  }

  fileprivate mutating func nextItems() -> [ImageIndex.Item]? {
    nextArray { reader in
      guard let container = reader.next().flatMap(UInt32.init(exactly:)), let end = reader.next().flatMap(Int.init(exactly:)) else {
        return nil
      }
      return ImageIndex.Item(container: container, nameEnd: end)
    }
  }

  fileprivate mutating func nextExtents() -> [ImageIndex.Extent]? {
    nextArray { reader in
      guard let offset = reader.next().flatMap(Int.init(exactly:)), let count = reader.next().flatMap(Int.init(exactly:)) else {
        return nil
      }
      return ImageIndex.Extent(offset: offset, byteCount: count)
    }
  }
}
