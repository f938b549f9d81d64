/// Where each image of a data set lies, in as little memory as millions of them ask for.
package struct ImageIndex: Sendable, Equatable {
  /// A folder or a tar archive, packed or not, that holds images.
  struct Container: Sendable, Equatable {
    enum Kind: UInt8, Sendable { case folder, shard, packedShard }

    var kind: Kind
    /// The path, in whatever encoding.
    var path: [UInt8]
    /// What shows that the folder or the archive is still as it was found.
    var stamp: FileStamp
    /// Where a packed archive can be unpacked from.
    var packing: GzipIndex?
  }

  /// Where an image lies within its container.
  struct Item: Sendable, Equatable {
    /// The index of its container.
    var container: UInt32
    /// Where the image's name ends among all names.
    var nameEnd: Int
  }

  /// Which bytes of an archive, once it is unpacked, are those of an image.
  struct Extent: Sendable, Equatable {
    var offset: Int
    var byteCount: Int
  }

  private(set) var containers: [Container] = []
  private(set) var items: [Item] = []
  /// The names of all images, one after the other.
  private(set) var names: [UInt8] = []
  /// The extents of all images where some lie in archives, and nothing where all are files; those of files say nothing.
  private(set) var extents: [Extent] = []

  package var count: Int { items.count }

  /// Bytes that the index takes.
  var byteCount: Int {
    let arrayHeader = 32
    return items.count * MemoryLayout<Item>.stride + names.count + extents.count * MemoryLayout<Extent>.stride
      + containers.reduce(0) {
        $0 + MemoryLayout<Container>.stride + arrayHeader + $1.path.count + ($1.packing?.memoryByteCount ?? 0)
      }
  }

  init() {}

  /// An index made of what was read from a file; nil where one does not fit the others.
  init?(containers: [Container], items: [Item], names: [UInt8], extents: [Extent]) {
    guard extents.isEmpty || extents.count == items.count else { return nil }
    var end = 0
    for (index, item) in items.enumerated() {
      guard item.container < containers.count, item.nameEnd > end, item.nameEnd <= names.count else { return nil }
      guard containers[Int(item.container)].kind == .folder || !extents.isEmpty else { return nil }
      if !extents.isEmpty {
        let extent = extents[index]
        guard extent.offset >= 0, extent.byteCount >= 0, extent.byteCount <= Int.max - extent.offset else { return nil }
      }
      end = item.nameEnd
    }
    self.containers = containers
    self.items = items
    self.names = names
    self.extents = extents
  }

  /// Adds a container and returns its index.
  mutating func add(_ container: Container) -> UInt32 {
    containers.append(container)
    return UInt32(containers.count - 1)
  }

  /// Adds the image `name` in the folder of index `container`.
  mutating func add(_ name: [UInt8], in container: UInt32) {
    names += name
    items.append(Item(container: container, nameEnd: names.count))
  }

  /// Adds a file of the archive of index `container`.
  mutating func add(_ member: TarReader.Member, in container: UInt32) {
    add(member.name, in: container)
    extents.append(Extent(offset: member.offset, byteCount: member.byteCount))
  }

  /// Adds the images of `other` after these.
  mutating func append(_ other: ImageIndex) {
    let hasExtents = !extents.isEmpty || !other.extents.isEmpty
    let none = Extent(offset: 0, byteCount: 0)
    if hasExtents && extents.isEmpty { extents = Array(repeating: none, count: items.count) }
    if hasExtents { extents += other.extents.isEmpty ? Array(repeating: none, count: other.items.count) : other.extents }
    items += other.items.map { Item(container: $0.container + UInt32(containers.count), nameEnd: $0.nameEnd + names.count) }
    containers += other.containers
    names += other.names
  }

  /// Keeps every second point to unpack archives from, and returns how many are left.
  mutating func thinPackings() -> Int {
    for index in containers.indices { containers[index].packing?.thin() }
    return containers.reduce(0) { $0 + ($1.packing?.points.count ?? 0) }
  }

  /// Gives back the memory that is kept for images to come.
  mutating func trim() {
    containers = containers.withUnsafeBufferPointer { Array($0) }
    items = items.withUnsafeBufferPointer { Array($0) }
    names = names.withUnsafeBufferPointer { Array($0) }
    extents = extents.withUnsafeBufferPointer { Array($0) }
  }

  /// The name of the image of number `index` within its container.
  func name(at index: Int) -> ArraySlice<UInt8> {
    names[(index == 0 ? 0 : items[index - 1].nameEnd)..<items[index].nameEnd]
  }

  /// The container of the image of number `index`.
  func container(at index: Int) -> Container { containers[Int(items[index].container)] }

  /// Where in the archive that is its container the image of number `index` lies; nil where it is a file of a folder.
  func extent(at index: Int) -> Extent? { container(at: index).kind == .folder ? nil : extents[index] }

  /// The path of the image of number `index`: of its file, or of its archive with the name in there.
  func path(at index: Int) -> [UInt8] { FilePath.join(container(at: index).path, name(at: index)) }
}

/// Paths as the operating system has them: bytes in whatever encoding.
enum FilePath {
  static func join(_ folder: [UInt8], _ name: some Collection<UInt8>) -> [UInt8] {
    if folder.isEmpty { return Array(name) }
    return folder.last == UInt8(ascii: "/") ? folder + name : folder + [UInt8(ascii: "/")] + name
  }

  static func text(_ path: some Collection<UInt8>) -> String { String(decoding: path, as: UTF8.self) }

  /// The last component of a path.
  static func lastComponent(_ path: [UInt8]) -> ArraySlice<UInt8> {
    path[((path.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...]
  }

  /// The extension of a file's name, in small letters and without its dot; empty where there is none.
  static func fileExtension(_ name: some BidirectionalCollection<UInt8>) -> String {
    guard let dot = name.lastIndex(of: UInt8(ascii: ".")) else { return "" }
    return text(name[name.index(after: dot)...]).lowercased()
  }
}
