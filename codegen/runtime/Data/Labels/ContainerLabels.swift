/// Labels where images lie: the names of folders, and entries of shards beside images.
enum ContainerLabels {
  /// Reads what the containers of `dataset` say.
  static func labels(of dataset: ImageDataset) throws(TrainerError) -> RawLabels {
    let index = dataset.index
    let isOfFolders = index.items.first.map { index.containers[Int($0.container)].kind == .folder } ?? true
    var labels = RawLabels(images: index.count, origin: isOfFolders ? .folders : .entries)
    var start = 0
    while start < index.count {
      let container = index.items[start].container
      var end = start
      while end < index.count, index.items[end].container == container { end += 1 }
      if index.containers[Int(container)].kind == .folder {
        if let name = className(of: index.containers[Int(container)].path, roots: dataset.roots) {
          let number = labels.number(of: name)
          for image in start..<end { labels.set(image, to: number) }
        }
      } else {
        try addEntries(of: index, start..<end, to: &labels)
      }
      start = end
    }
    return labels
  }

  /// The classes that folders stand for which hold no image, neither themselves nor further down.
  static func emptyClasses(of dataset: ImageDataset, labels: RawLabels) -> [String] {
    let known = Set(labels.names)
    var empty: Set<[UInt8]> = []
    for container in dataset.index.containers where container.kind == .folder {
      if let name = className(of: container.path, roots: dataset.roots), !known.contains(name) { empty.insert(name) }
    }
    return empty.map { FilePath.text($0) }.sorted()
  }

  /// The first component of the folder `path` below the data.
  private static func className(of path: [UInt8], roots: [[UInt8]]) -> [UInt8]? {
    let slash = UInt8(ascii: "/")
    for root in roots {
      let root = root.last == slash ? root : root + [slash]
      if path.starts(with: root) { return Array(path[root.count...].prefix { $0 != slash }) }
    }
    return nil
  }

  /// Entries that are larger are no labels.
  private static let maximumEntryBytes = 1 << 20

  /// Adds what lies beside the images `images` of `index`, all in one archive: `KEY.cls`, or `KEY.json`.
  private static func addEntries(of index: ImageIndex, _ images: Range<Int>, to labels: inout RawLabels) throws(TrainerError) {
    let container = index.container(at: images.lowerBound)
    let opened = try SystemFailure.retrying { () throws(TrainerError) in try OpenFile(reading: container.path) }
    let file: any StoredBytes = container.packing.map { GzipReader(opened, index: $0) } ?? opened
    let keys = images.map { key(of: Array(index.name(at: $0))) }
    var entries = ClassEntries(of: Set(keys), archive: container.path)
    var reader = TarReader(file)
    while let member = try reader.next() {
      guard let ending = ClassEntries.Ending(rawValue: FilePath.fileExtension(member.name)), member.byteCount <= maximumEntryBytes
      else { continue }
      try entries.add(member.name, key: key(of: member.name), ending) { () throws(TrainerError) in
        try file.bytes(at: member.offset, count: member.byteCount)
      }
    }
    for (image, key) in zip(images, keys) {
      if let name = try entries.className(of: key) { labels.set(image, to: labels.number(of: name)) }
    }
  }

  /// What the files of a sample have in common: their path up to the first dot of their name.
  private static func key(of name: [UInt8]) -> ArraySlice<UInt8> {
    let last = FilePath.lastComponent(name)
    return name[..<(last.firstIndex(of: UInt8(ascii: ".")) ?? name.endIndex)]
  }
}
