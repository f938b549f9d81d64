/// Finds images by their paths below the data, in little memory.
struct ImageNames {
  private let index: ImageIndex
  /// What stands before the names of each container's images, once its data's folder is left out.
  private let prefixes: [[UInt8]]
  private let roots: [[UInt8]]
  /// Images where the sum of their path says, or in the next slot that was free; -1 where there is none.
  private var slots: [Int32]

  private static let slash = UInt8(ascii: "/")

  /// Throws where two images have the same path below the data.
  init(_ dataset: ImageDataset) throws(TrainerError) {
    index = dataset.index
    let roots = dataset.roots.map { $0.last == Self.slash ? $0 : $0 + [Self.slash] }
    self.roots = roots
    prefixes = index.containers.map { container in
      guard container.kind == .folder else { return [] }
      let path = container.path + [Self.slash]
      return roots.first { path.starts(with: $0) }.map { Array(path[$0.count...]) } ?? []
    }
    var capacity = 16
    while capacity < 2 * index.count { capacity *= 2 }
    slots = Array(repeating: -1, count: capacity)
    for image in 0..<index.count {
      let name = name(of: image)
      let slot = slot(of: name[...])
      guard slots[slot] < 0 else {
        throw TrainerError(
          "two images are called \(FilePath.text(name)), \(dataset.name(at: Int(slots[slot]))) and \(dataset.name(at: image))")
      }
      slots[slot] = Int32(image)
    }
  }

  /// The path of an image below the data.
  func name(of image: Int) -> [UInt8] { prefixes[Int(index.items[image].container)] + index.name(at: image) }

  /// The image that `path` names: below the data, or from further up, or from the root of the file system.
  func index(of path: [UInt8]) -> Int? {
    var rest = path[...]
    if let root = roots.first(where: { rest.starts(with: $0) }) { rest = rest[root.count...] }
    while true {
      let image = slots[slot(of: rest)]
      if image >= 0 { return Int(image) }
      guard let slash = rest.firstIndex(of: Self.slash) else { return nil }
      rest = rest[(slash + 1)...]
    }
  }

  /// The slot of the image called `name`, or the free one that it belongs in.
  private func slot(of name: ArraySlice<UInt8>) -> Int {
    var slot = Int(truncatingIfNeeded: BinaryWriter.checksum(name)) & (slots.count - 1)
    while slots[slot] >= 0, !isName(name, of: Int(slots[slot])) { slot = (slot + 1) & (slots.count - 1) }
    return slot
  }

  private func isName(_ name: ArraySlice<UInt8>, of image: Int) -> Bool {
    let prefix = prefixes[Int(index.items[image].container)]
    let last = index.name(at: image)
    return name.count == prefix.count + last.count && name.starts(with: prefix) && name.suffix(last.count).elementsEqual(last)
  }
}
