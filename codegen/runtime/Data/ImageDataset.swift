import Glibc

/// The images of a folder, or of shards as WebDataset writes them; a class's name stays part of an image's path.
package struct ImageDataset: ImageSource {
  let locations: [ImageLocation]
  let index: ImageIndex
  /// When looking for the images began, in nanoseconds since 1970; nil where an index that was kept told where they are.
  private let foundAt: Int64?
  /// What was passed over in looking for the images; nothing where an index that was kept told where they are.
  package let leftOut: LeftOut
  /// Whether images are turned as their metadata ask for.
  private let isTurned: Bool

  package var count: Int { index.count }
  package var indexByteCount: Int { index.byteCount }

  /// Finds the images that `data` names, one location after the other; what is in them is looked at when they are read.
  ///
  /// - Parameters:
  ///   - isTurned: Whether images are turned as their metadata ask for.
  ///   - runFolder: The folder of a run that may hold an index of them.
  package init(_ data: [String], isTurned: Bool = true, runFolder: String? = nil) throws(TrainerError) {
    self.isTurned = isTurned
    var locations: [ImageLocation] = []
    for text in data { locations.append(try ImageLocation(text)) }
    self.locations = locations
    if let runFolder, let known = ImageIndex(reading: ImageIndex.file(in: runFolder), of: locations) {
      index = known
      foundAt = nil
      leftOut = LeftOut()
    } else {
      foundAt = Clock.nanosecondsSince1970
      var leftOut = LeftOut()
      index = try ImageIndex(searching: locations, leftOut: &leftOut)
      self.leftOut = leftOut
    }
  }

  /// Finds the images that `data` names.
  package init(_ data: String, isTurned: Bool = true, runFolder: String? = nil) throws(TrainerError) {
    try self.init([data], isTurned: isTurned, runFolder: runFolder)
  }

  /// Whether an index that was kept told where the images are.
  package var isFromIndex: Bool { foundAt == nil }

  package func saveIndex(in folder: String) throws(TrainerError) {
    guard let foundAt else { return }
    try index.write(to: ImageIndex.file(in: folder), of: locations, foundAt: foundAt)
  }

  package var digest: String {
    index.digest(below: roots)
  }

  /// The folders that images were looked for in.
  var roots: [[UInt8]] {
    locations.compactMap { location in
      if case .folder(let path) = location.kind { path } else { nil }
    }
  }

  package func reads(_ identity: FileStatus.Identity) -> Bool {
    func isIt(_ path: [UInt8]) -> Bool { FileStatus(path)?.identity == identity }
    if index.containers.contains(where: { $0.kind != .folder && isIt($0.path) }) { return true }
    return (0..<count).contains { index.extent(at: $0) == nil && isIt(index.path(at: $0)) }
  }

  package func name(at index: Int) -> String { FilePath.text(self.index.path(at: index)) }

  package func shortName(at index: Int) -> String {
    let path = self.index.container(at: index).kind == .folder ? self.index.path(at: index)[...] : self.index.name(at: index)
    guard self.index.extent(at: index) == nil, let root = roots.first(where: { path.starts(with: $0) }) else {
      return FilePath.text(path)
    }
    return FilePath.text(path[root.count...].drop { $0 == UInt8(ascii: "/") })
  }

  package func load(at index: Int) throws(TrainerError) -> LoadedImage {
    .file(try ImageFile(try bytes(at: index), isTurned: isTurned))
  }

  private func bytes(at index: Int) throws(TrainerError) -> ImageMemory {
    guard let extent = self.index.extent(at: index) else {
      return try DataFiles.shared.read(self.index.path(at: index))
    }
    let container = self.index.container(at: index)
    return try DataFiles.shared.read(container.path, extent, packing: container.packing)
  }
}
