/// Where each image of a data set lies, in as little memory as millions of them ask for.
package struct ImageIndex: Sendable, Equatable {
  /// A folder or a tar archive, packed or not, that holds images.
  struct Place: Sendable, Equatable {
    enum Kind: UInt8, Sendable { case folder, shard, packedShard }

    var kind: Kind
    /// The path, in whatever encoding.
    var path: [UInt8]
    /// What shows that the folder or the archive is still as it was found.
    var stamp: FileStamp
    /// Where a packed archive can be unpacked from.
    var packing: GzipIndex?
  }

  /// Where an image lies within its place.
  struct Item: Sendable, Equatable {
    /// The index of the place.
    var place: UInt32
    /// Where the image's name ends among all names.
    var nameEnd: Int
  }

  /// Which bytes of an archive, once it is unpacked, are those of an image.
  struct Extent: Sendable, Equatable {
    var offset: Int
    var byteCount: Int
  }

  private(set) var places: [Place] = []
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
      + places.reduce(0) {
        $0 + MemoryLayout<Place>.stride + arrayHeader + $1.path.count + ($1.packing?.memoryByteCount ?? 0)
      }
  }

  init() {}

  /// An index of what was read from a file; nil where the parts do not fit together.
  init?(places: [Place], items: [Item], names: [UInt8], extents: [Extent]) {
    guard extents.isEmpty || extents.count == items.count else { return nil }
    var end = 0
    for (index, item) in items.enumerated() {
      guard item.place < places.count, item.nameEnd > end, item.nameEnd <= names.count else { return nil }
      guard places[Int(item.place)].kind == .folder || !extents.isEmpty else { return nil }
      if !extents.isEmpty {
        let extent = extents[index]
        guard extent.offset >= 0, extent.byteCount >= 0, extent.byteCount <= Int.max - extent.offset else { return nil }
      }
      end = item.nameEnd
    }
    self.places = places
    self.items = items
    self.names = names
    self.extents = extents
  }

  /// Adds a place and returns its index.
  mutating func add(_ place: Place) -> UInt32 {
    places.append(place)
    return UInt32(places.count - 1)
  }

  /// Adds the image `name` in the folder of index `place`.
  mutating func add(_ name: [UInt8], in place: UInt32) {
    names += name
    items.append(Item(place: place, nameEnd: names.count))
  }

  /// Adds a file of the archive of index `place`.
  mutating func add(_ member: TarReader.Member, in place: UInt32) {
    add(member.name, in: place)
    extents.append(Extent(offset: member.offset, byteCount: member.byteCount))
  }

  /// Adds the images of `other` after these.
  mutating func append(_ other: ImageIndex) {
    let hasExtents = !extents.isEmpty || !other.extents.isEmpty
    let none = Extent(offset: 0, byteCount: 0)
    if hasExtents && extents.isEmpty { extents = Array(repeating: none, count: items.count) }
    if hasExtents { extents += other.extents.isEmpty ? Array(repeating: none, count: other.items.count) : other.extents }
    items += other.items.map { Item(place: $0.place + UInt32(places.count), nameEnd: $0.nameEnd + names.count) }
    places += other.places
    names += other.names
  }

  /// Keeps every second place to unpack archives from, and returns how many are left.
  mutating func thinPackings() -> Int {
    for index in places.indices { places[index].packing?.thin() }
    return places.reduce(0) { $0 + ($1.packing?.points.count ?? 0) }
  }

  /// Gives back the memory that is kept for images to come.
  mutating func trim() {
    places = places.withUnsafeBufferPointer { Array($0) }
    items = items.withUnsafeBufferPointer { Array($0) }
    names = names.withUnsafeBufferPointer { Array($0) }
    extents = extents.withUnsafeBufferPointer { Array($0) }
  }

  /// The name of the image of number `index` within its place.
  func name(at index: Int) -> ArraySlice<UInt8> {
    names[(index == 0 ? 0 : items[index - 1].nameEnd)..<items[index].nameEnd]
  }

  /// The place of the image of number `index`.
  func place(at index: Int) -> Place { places[Int(items[index].place)] }

  /// Where in the archive of its place the image of number `index` lies; nil where it is a file of a folder.
  func extent(at index: Int) -> Extent? { place(at: index).kind == .folder ? nil : extents[index] }

  /// The path of the image of number `index`: of its file, or of its archive with the name in there.
  func path(at index: Int) -> [UInt8] { FilePath.join(place(at: index).path, name(at: index)) }
}

/// Paths as the operating system has them: bytes in whatever encoding.
enum FilePath {
  static func join(_ folder: [UInt8], _ name: some Collection<UInt8>) -> [UInt8] {
    if folder.isEmpty { return Array(name) }
    return folder.last == UInt8(ascii: "/") ? folder + name : folder + [UInt8(ascii: "/")] + name
  }

  static func text(_ path: some Collection<UInt8>) -> String { String(decoding: path, as: UTF8.self) }

  /// The last part of a path.
  static func lastPart(_ path: [UInt8]) -> ArraySlice<UInt8> {
    path[((path.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...]
  }

  /// The extension of a file's name, in small letters and without its dot; empty where there is none.
  static func fileExtension(_ name: some BidirectionalCollection<UInt8>) -> String {
    guard let dot = name.lastIndex(of: UInt8(ascii: ".")) else { return "" }
    return text(name[name.index(after: dot)...]).lowercased()
  }
}
